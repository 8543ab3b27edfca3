//! Quantities, the numbers of Kubernetes: `500m`, `1.5Gi`, `2e3`.
//!
//! The syntax is that of `k8s.io/apimachinery/pkg/api/resource`: a decimal number, and a suffix or an exponent of ten.
//! As there, a fraction of the wanted unit counts as one, and the largest value is 2^63-1.

/// A quantity as a whole number of units, rounded away from zero. `per_unit` is 1000 for thousandths, otherwise 1.
/// `None` if the text is not a quantity.
pub(crate) fn parse(text: &str, per_unit: u32) -> Option<i64> {
    let (is_negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || whole.len() + fraction.len() == 0 || number.len() > LONGEST {
        return None;
    }
    let (binary, decimal) = scale(suffix)?;
    let mut digits = Decimal { digits: Vec::new(), point: 0 };
    digits.digits.extend(whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0'));
    digits.point = i64::try_from(whole.len()).ok()? + decimal;
    (0..binary).for_each(|_| digits.multiply(1024));
    digits.multiply(per_unit);
    let size = digits.rounded_up();
    Some(if is_negative { -size } else { size })
}

/// Longest number. Servers send canonical numbers, which have at most 19 digits.
const LONGEST: usize = 100;

/// A suffix as a power of 1024 and a power of ten.
fn scale(suffix: &str) -> Option<(u32, i64)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (1, 0),
        "Mi" => (2, 0),
        "Gi" => (3, 0),
        "Ti" => (4, 0),
        "Pi" => (5, 0),
        "Ei" => (6, 0),
        // An exponent of more digits is as good as one of four: the number is too large, or the smallest one.
        exponent => (0, exponent.strip_prefix(['e', 'E'])?.parse::<i64>().ok()?.clamp(-9999, 9999)),
    })
}

/// A number as its decimal digits, with the point behind the first `point` of them.
struct Decimal {
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    fn multiply(&mut self, factor: u32) {
        let mut carry = 0;
        for digit in self.digits.iter_mut().rev() {
            let product = u32::from(*digit) * factor + carry;
            *digit = u8::try_from(product % 10).expect("a digit");
            carry = product / 10;
        }
        while carry > 0 {
            self.digits.insert(0, u8::try_from(carry % 10).expect("a digit"));
            self.point += 1;
            carry /= 10;
        }
    }

    /// The next whole number, or the largest one.
    fn rounded_up(&self) -> i64 {
        let at =
            |position: i64| usize::try_from(position).ok().and_then(|at| self.digits.get(at)).copied().unwrap_or(0);
        let Some(first) = self.digits.iter().position(|digit| *digit != 0) else { return 0 };
        let first = i64::try_from(first).unwrap_or(i64::MAX);
        let mut whole: i64 = 0;
        for position in first..self.point {
            let next = whole.checked_mul(10).and_then(|whole| whole.checked_add(i64::from(at(position))));
            let Some(next) = next else { return i64::MAX };
            whole = next;
        }
        let rest = usize::try_from(self.point).unwrap_or(0).min(self.digits.len());
        whole.saturating_add(i64::from(self.digits[rest..].iter().any(|digit| *digit != 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact() {
        for (text, whole, thousandths) in [
            ("0", 0, 0),
            ("500m", 1, 500),
            ("0.5", 1, 500),
            (".5", 1, 500),
            ("5.", 5, 5000),
            ("1.5Gi", 1_610_612_736, 1_610_612_736_000),
            ("1536Mi", 1_610_612_736, 1_610_612_736_000),
            ("322122547200m", 322_122_548, 322_122_547_200),
            ("0.3Gi", 322_122_548, 322_122_547_200),
            ("1k", 1000, 1_000_000),
            ("64Ki", 65_536, 65_536_000),
            ("1Ei", 1 << 60, i64::MAX),
            ("8Ei", i64::MAX, i64::MAX),
            ("9223372036854775807", i64::MAX, i64::MAX),
            ("9223372036854775806", i64::MAX - 1, i64::MAX),
            ("99999999999999999999999", i64::MAX, i64::MAX),
            ("1e3", 1000, 1_000_000),
            ("1.25E2", 125, 125_000),
            ("12e-1", 2, 1200),
            ("2E", 2_000_000_000_000_000_000, i64::MAX),
            ("1n", 1, 1),
            ("1000001n", 1, 2),
            ("100u", 1, 1),
            ("250000u", 1, 250),
            ("1e-400", 1, 1),
            ("1e400", i64::MAX, i64::MAX),
            ("0e400", 0, 0),
            ("1e99999999", i64::MAX, i64::MAX),
            ("-1.5", -2, -1500),
            ("+2", 2, 2000),
            ("000123", 123, 123_000),
        ] {
            assert_eq!((parse(text, 1), parse(text, 1000)), (Some(whole), Some(thousandths)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_quantity_is_none() {
        for text in [
            "", "-", ".", "m", "1..2", "1.2.3", "1 Gi", "1gi", "1K", "1ki", "1e", "1ee3", "1e1.5", "0x10", "½", "1mm",
            "--1", "1-",
        ] {
            assert_eq!(parse(text, 1), None, "{text}");
        }
        assert_eq!(parse(&"1".repeat(LONGEST + 1), 1), None);
    }
}
