//! Suggestions for misspelt names.

/// The candidate that a misspelt name most likely means: at most a third of its characters differ, and case and a plural
/// `s` do not count.
pub fn closest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let most = written.chars().count().max(3) / 3;
    let distance = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        match candidate.trim_end_matches('s') == written.trim_end_matches('s') {
            true => 0,
            false => strsim::osa_distance(&written, &candidate),
        }
    };
    let candidates = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    candidates.filter(|(distance, _)| *distance <= most).min().map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_likely_typo_has_a_suggestion() {
        let names = ["timeout", "memory", "batch_size", "processes", "process_envs", "users", "groups", "hash", "name"];
        for (written, expected) in [
            ("timeuot", Some("timeout")),
            ("Memory", Some("memory")),
            ("batchsize", Some("batch_size")),
            ("proceses", Some("processes")),
            ("user", Some("users")),
            ("PROCESS_ENV", Some("process_envs")),
            ("nam", Some("name")),
            ("colour", None),
            ("kubernetes_pods", None),
            ("last", None),
            ("", None),
        ] {
            assert_eq!(closest(written, names), expected, "{written}");
        }
        assert_eq!(closest("ba", ["xx", "ab"]), Some("ab"), "a swap is one edit");
    }
}
