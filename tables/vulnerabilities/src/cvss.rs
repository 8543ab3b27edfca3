//! Scores of CVSS vectors: versions 2.0, 3.0, 3.1 and 4.0.

use std::collections::BTreeMap;

/// A vector with its score.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Score {
    /// Version of CVSS: `2.0`, `3.0`, `3.1` or `4.0`.
    pub(crate) version: &'static str,
    pub(crate) score: f64,
}

/// Metrics of a vector by name.
type Metrics<'a> = BTreeMap<&'a str, &'a str>;

/// Longest vector that is read.
const LONGEST: usize = 512;

/// The score of a vector; `None` if it is malformed, or of another version. For versions 2 and 3 it is the base score;
/// for version 4 it includes the threat and environment metrics that the vector has.
pub(crate) fn score(vector: &str) -> Option<Score> {
    if vector.len() > LONGEST {
        return None;
    }
    let of = |version, score: Option<f64>| score.map(|score| Score { version, score });
    match vector.split_once('/') {
        Some(("CVSS:3.0", rest)) => of("3.0", v3(&metrics(rest)?)),
        Some(("CVSS:3.1", rest)) => of("3.1", v3(&metrics(rest)?)),
        Some(("CVSS:4.0", rest)) => of("4.0", v4(&metrics(rest)?)),
        _ if vector.starts_with("CVSS:") => None,
        _ => of("2.0", v2(&metrics(vector.trim_start_matches('(').trim_end_matches(')'))?)),
    }
}

/// The word for a score: `none`, `low`, `medium`, `high` or `critical`. Version 2.0 has no `none` and no `critical`.
pub(crate) fn severity(score: &Score) -> &'static str {
    match score.score {
        low if low < 0.05 && score.version != "2.0" => "none",
        low if low < 3.95 => "low",
        medium if medium < 6.95 => "medium",
        high if high < 8.95 || score.version == "2.0" => "high",
        _ => "critical",
    }
}

/// The metrics of a vector. One that is repeated makes the vector malformed.
fn metrics(text: &str) -> Option<Metrics<'_>> {
    let mut found = BTreeMap::new();
    for field in text.split('/') {
        let (name, value) = field.split_once(':')?;
        if found.insert(name, value).is_some() {
            return None;
        }
    }
    Some(found)
}

/// The weight of a metric's value.
fn weight(metrics: &Metrics<'_>, name: &str, weights: &[(&str, f64)]) -> Option<f64> {
    let value = metrics.get(name)?;
    weights.iter().find(|(known, _)| known == value).map(|(_, weight)| *weight)
}

fn v2(metrics: &Metrics<'_>) -> Option<f64> {
    let weight = |name, weights| weight(metrics, name, weights);
    let impact_of = |name| weight(name, &[("N", 0.0), ("P", 0.275), ("C", 0.66)]);
    let exploitability = 20.0
        * weight("AV", &[("L", 0.395), ("A", 0.646), ("N", 1.0)])?
        * weight("AC", &[("H", 0.35), ("M", 0.61), ("L", 0.71)])?
        * weight("Au", &[("M", 0.45), ("S", 0.56), ("N", 0.704)])?;
    let impact = 10.41 * (1.0 - (1.0 - impact_of("C")?) * (1.0 - impact_of("I")?) * (1.0 - impact_of("A")?));
    if impact == 0.0 {
        return Some(0.0);
    }
    let score = (0.6 * impact + 0.4 * exploitability - 1.5) * 1.176;
    Some((score * 10.0).round() / 10.0)
}

fn v3(metrics: &Metrics<'_>) -> Option<f64> {
    let weight = |name, weights| weight(metrics, name, weights);
    let impact_of = |name| weight(name, &[("N", 0.0), ("L", 0.22), ("H", 0.56)]);
    let is_changed = match *metrics.get("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let privileges: &[(&str, f64)] =
        if is_changed { &[("N", 0.85), ("L", 0.68), ("H", 0.5)] } else { &[("N", 0.85), ("L", 0.62), ("H", 0.27)] };
    let exploitability = 8.22
        * weight("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?
        * weight("AC", &[("L", 0.77), ("H", 0.44)])?
        * weight("PR", privileges)?
        * weight("UI", &[("N", 0.85), ("R", 0.62)])?;
    let lost = 1.0 - (1.0 - impact_of("C")?) * (1.0 - impact_of("I")?) * (1.0 - impact_of("A")?);
    let impact = if is_changed { 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02).powi(15) } else { 6.42 * lost };
    if impact <= 0.0 {
        return Some(0.0);
    }
    let sum = impact + exploitability;
    Some(round_up(if is_changed { 1.08 * sum } else { sum }.min(10.0)))
}

/// The smallest number with one decimal that is not lower, as CVSS 3.1 computes it: errors of floating point below
/// 0.00001 do not count.
fn round_up(score: f64) -> f64 {
    let scaled = (score * 100_000.0).round() as u64;
    scaled.div_ceil(10_000) as f64 / 10.0
}

/// The values of each metric of CVSS 4.0 that counts, by falling severity. The last ones have modified forms.
const LEVELS: [(&str, &str); 14] = [
    ("AV", "NALP"),
    ("PR", "NLH"),
    ("UI", "NPA"),
    ("AC", "LH"),
    ("AT", "NP"),
    ("VC", "HLN"),
    ("VI", "HLN"),
    ("VA", "HLN"),
    ("CR", "HML"),
    ("IR", "HML"),
    ("AR", "HML"),
    ("SC", "SHLN"),
    ("SI", "SHLN"),
    ("SA", "SHLN"),
];
/// The positions in [`LEVELS`] of the metrics of each equivalence set: 1, 2, 3 with 6, and 4.
const SETS: [std::ops::Range<usize>; 4] = [0..3, 3..5, 5..11, 11..14];
/// Metrics of CVSS 4.0 that do not change the score, with their values.
const SUPPLEMENTAL: [(&str, &str); 6] =
    [("S", "XNP"), ("AU", "XNY"), ("R", "XAUI"), ("V", "XDC"), ("RE", "XLMH"), ("U", "X")];

/// The most severe vectors of each level of the sets 1, 2 and 4, as the values of their metrics.
const HIGHEST_1: [&[&str]; 3] = [&["NNN"], &["ANN", "NLN", "NNP"], &["PNN", "ALP"]];
const HIGHEST_2: [&[&str]; 2] = [&["LN"], &["HN", "LP"]];
const HIGHEST_4: [&[&str]; 3] = [&["HSS"], &["HHH"], &["LLL"]];
/// The same for the sets 3 and 6, whose levels are 00, 01, 10, 11 and 21.
const HIGHEST_3_6: [&[&str]; 5] = [
    &["HHHHHH"],
    &["HHLMMH", "HHHMMM"],
    &["LHHHHH", "HLHHHH"],
    &["LHLHMH", "LHHHMM", "HLHMHM", "HLLMHH", "LLHHHM"],
    &["LLLHHH"],
];
/// The number of steps within each level.
const DEPTH_1: [i32; 3] = [1, 4, 5];
const DEPTH_2: [i32; 2] = [1, 2];
const DEPTH_3_6: [i32; 5] = [7, 6, 8, 8, 10];
const DEPTH_4: [i32; 3] = [6, 5, 4];

/// The score in tenths of each combination of levels, from the specification of CVSS 4.0: by the levels of the sets 1 and
/// 2, then those of the sets 3 and 6, 4, and 5.
const MACRO_SCORES: [[u8; 45]; 6] = [
    [
        100, 98, 95, 100, 93, 91, 93, 89, 81, 99, 95, 92, 96, 87, 81, 90, 80, 68, 98, 95, 90, 93, 89, 81, 88, 78, 69,
        95, 92, 84, 92, 81, 65, 80, 70, 48, 92, 82, 72, 79, 69, 50, 69, 55, 27,
    ],
    [
        99, 95, 92, 95, 90, 84, 92, 82, 72, 97, 92, 85, 91, 83, 71, 81, 71, 53, 95, 92, 85, 92, 80, 70, 84, 71, 50, 93,
        85, 73, 82, 72, 59, 70, 52, 30, 86, 75, 52, 71, 52, 29, 63, 29, 17,
    ],
    [
        98, 94, 91, 94, 86, 77, 87, 74, 63, 95, 87, 81, 89, 74, 64, 75, 63, 49, 94, 88, 76, 86, 74, 59, 72, 57, 52, 89,
        77, 67, 76, 58, 50, 57, 52, 25, 83, 70, 54, 65, 58, 26, 53, 21, 13,
    ],
    [
        95, 88, 76, 90, 75, 61, 77, 68, 52, 90, 76, 70, 77, 62, 53, 66, 59, 30, 89, 76, 62, 74, 57, 47, 61, 57, 24, 78,
        67, 58, 59, 57, 23, 52, 29, 16, 71, 59, 30, 58, 26, 15, 23, 13, 6,
    ],
    [
        93, 86, 75, 86, 74, 56, 70, 52, 40, 87, 72, 58, 74, 61, 34, 54, 40, 22, 85, 74, 62, 72, 55, 46, 53, 34, 19, 75,
        55, 51, 57, 41, 19, 36, 19, 8, 64, 51, 20, 47, 21, 11, 24, 9, 4,
    ],
    [
        88, 73, 60, 73, 59, 41, 54, 45, 20, 75, 53, 50, 55, 40, 20, 43, 22, 11, 75, 58, 40, 61, 48, 20, 46, 17, 8, 55,
        45, 21, 51, 18, 9, 18, 7, 2, 53, 24, 14, 24, 12, 5, 10, 3, 1,
    ],
];

/// The levels of the sets 1, 2, 3 with 6, 4 and 5.
type Macro = [usize; 5];

/// The score in tenths; `None` if a level does not exist.
fn macro_score([one, two, three_six, four, five]: Macro) -> Option<f64> {
    let is_level = one < 3 && two < 2 && three_six < 5 && four < 3 && five < 3;
    is_level.then(|| f64::from(MACRO_SCORES[one * 2 + two][three_six * 9 + four * 3 + five]))
}

fn v4(metrics: &Metrics<'_>) -> Option<f64> {
    let known = |name: &str, value: &str| {
        let of = |levels: &str| value.len() == 1 && levels.contains(value);
        let base = name.strip_prefix('M').unwrap_or(name);
        match name {
            "E" => of("XAPU"),
            "U" => ["X", "Clear", "Green", "Amber", "Red"].contains(&value),
            "CR" | "IR" | "AR" => of("XHML"),
            "SC" | "SI" | "SA" => of("HLN"),
            "MSC" => of("XHLN"),
            _ => {
                let listed = |list: &[(&str, &str)], name| {
                    list.iter().find(|(known, _)| *known == name).is_some_and(|(_, levels)| of(levels))
                };
                listed(&SUPPLEMENTAL, name)
                    || listed(&LEVELS, base) && !matches!(base, "CR" | "IR" | "AR")
                    || name != base && value == "X" && LEVELS.iter().any(|(known, _)| *known == base)
            }
        }
    };
    if !metrics.iter().all(|(name, value)| known(name, value)) {
        return None;
    }
    let value = |name: &str| -> Option<u8> {
        let set = |name: &str| metrics.get(name).copied().filter(|value| *value != "X");
        let modified = format!("M{name}");
        let value = match name {
            "E" => set(name).unwrap_or("A"),
            "CR" | "IR" | "AR" => set(name).unwrap_or("H"),
            _ => {
                // The base metric must be there, even if a modified one replaces it.
                let base = metrics.get(name)?;
                set(&modified).unwrap_or(base)
            }
        };
        value.bytes().next()
    };
    let mut values = [0; LEVELS.len()];
    for (value_at, (name, _)) in values.iter_mut().zip(LEVELS) {
        *value_at = value(name)?;
    }
    let [av, pr, ui, ac, at, vc, vi, va, cr, ir, ar, sc, si, sa] = values;
    if [vc, vi, va, sc, si, sa].iter().all(|value| *value == b'N') {
        return Some(0.0);
    }
    let one = match [av, pr, ui] {
        [b'N', b'N', b'N'] => 0,
        [b'P', ..] => 2,
        some if some.contains(&b'N') => 1,
        _ => 2,
    };
    let two = usize::from(ac != b'L' || at != b'N');
    let three = match [vc, vi, va] {
        [b'H', b'H', _] => 0,
        some if some.contains(&b'H') => 1,
        _ => 2,
    };
    let is_required = [(cr, vc), (ir, vi), (ar, va)].contains(&(b'H', b'H'));
    let three_six = match (three, is_required) {
        (2, _) => 4,
        (three, is_required) => three * 2 + usize::from(!is_required),
    };
    let four = match [sc, si, sa] {
        [_, b'S', _] | [_, _, b'S'] => 0,
        some if some.contains(&b'H') => 1,
        _ => 2,
    };
    let five = match value("E")? {
        b'A' => 0,
        b'P' => 1,
        _ => 2,
    };
    let level = [one, two, three_six, four, five];
    let score = macro_score(level)?;
    // How far the next lower level of each set is.
    let lower = |set: usize, to: usize| {
        let mut next = level;
        next[set] = to;
        macro_score(next)
    };
    let next_three_six = match three_six {
        // Of the two lower levels, the higher score counts.
        0 => lower(2, 1).into_iter().chain(lower(2, 2)).reduce(f64::max),
        1 | 2 => lower(2, 3),
        3 => lower(2, 4),
        _ => None,
    };
    let next = [lower(0, one + 1), lower(1, two + 1), next_three_six, lower(3, four + 1), lower(4, five + 1)];
    // The distance of the vector from the most severe vector of its level that is not less severe in any metric.
    let highest = [HIGHEST_1[one], HIGHEST_2[two], HIGHEST_3_6[three_six], HIGHEST_4[four]];
    let mut steps = [0_i32; 4];
    for ((set, highest), steps) in SETS.into_iter().zip(highest).zip(&mut steps) {
        let position = |metric: usize, value: u8| LEVELS[metric].1.bytes().position(|known| known == value);
        let distance = |highest: &&str| -> Option<i32> {
            let mut sum = 0;
            for (metric, top) in set.clone().zip(highest.bytes()) {
                let (own, top) = (position(metric, values[metric])?, position(metric, top)?);
                sum += i32::try_from(own.checked_sub(top)?).ok()?;
            }
            Some(sum)
        };
        *steps = highest.iter().find_map(distance)?;
    }
    let depth = [DEPTH_1[one], DEPTH_2[two], DEPTH_3_6[three_six], DEPTH_4[four], 1];
    let steps = [steps[0], steps[1], steps[2], steps[3], 0];
    let (mut sum, mut count) = (0.0, 0_u32);
    for position in 0..5 {
        if let Some(next) = next[position] {
            sum += (score - next) * f64::from(steps[position]) / f64::from(depth[position]);
            count += 1;
        }
    }
    let mean = if count == 0 { 0.0 } else { sum / f64::from(count) };
    // The small number evens out errors of floating point.
    let tenths = ((score - mean).clamp(0.0, 100.0) + 1e-5).round();
    Some(tenths / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vector: &str) -> Option<(f64, &'static str)> {
        score(vector).map(|score| (score.score, severity(&score)))
    }

    #[test]
    fn scores_of_published_examples() {
        for (vector, expected) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some((9.8, "critical"))),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Some((10.0, "critical"))),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", Some((6.1, "medium"))),
            ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", Some((1.6, "low"))),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", Some((7.8, "high"))),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Some((0.0, "none"))),
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C", Some((7.8, "high"))),
            ("(AV:N/AC:L/Au:N/C:C/I:C/A:C)", Some((10.0, "high"))),
            ("AV:L/AC:H/Au:N/C:C/I:C/A:C", Some((6.2, "medium"))),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", Some((10.0, "critical"))),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Some((9.3, "critical"))),
            ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Some((7.3, "high"))),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", Some((0.0, "none"))),
            // Malformed.
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", None),
            ("CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
            ("CVSS:3.1/AV:Z/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:S/SA:N", None),
            ("CVSS:9.9/AV:N", None),
            ("high", None),
            ("", None),
        ] {
            assert_eq!(of(vector), expected, "{vector}");
        }
    }

    /// `cvss.tsv` has vectors of a seeded generator, with the scores of the Python package `cvss` 3.6.
    #[test]
    fn scores_are_those_of_another_implementation() {
        let mut count = 0;
        for line in include_str!("cvss.tsv").lines().filter(|line| !line.starts_with('#')) {
            let (vector, expected) = line.split_once('\t').expect("a vector and its score");
            let found = score(vector).map(|score| format!("{:.1}", score.score));
            assert_eq!(found.as_deref(), Some(expected), "{vector}");
            count += 1;
        }
        assert!(count > 2000, "{count}");
    }
}
