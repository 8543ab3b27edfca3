//! Helpers that several functions share: printf, rounding, ranges of text.

use std::{
    cell::Cell,
    hash::{BuildHasher, Hasher, RandomState},
};

use super::{
    room::{Failure, Room},
    scalar::Moment,
};
use crate::value::Value;

/// A random integer from the standard library's per-process keys.
pub(crate) fn random_int() -> i64 {
    thread_local!(static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish()));
    STATE.with(|state| {
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mut mixed = next;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as i64
    })
}

/// The half-open range of characters that `substr` takes.
pub(crate) fn window(length: i64, start: i64, count: Option<i64>) -> (usize, usize) {
    let mut from = start;
    let mut count_left = count.unwrap_or(i64::MAX);
    let backwards = count_left < 0;
    count_left = count_left.saturating_abs();
    if from < 0 {
        from = from.saturating_add(length);
        if from < 0 {
            count_left = if backwards { count_left } else { count_left.saturating_add(from) };
            if backwards {
                // Counting back from before the start selects nothing.
                return (0, 0);
            }
            if count_left < 0 {
                count_left = 0;
            }
            from = 0;
        }
    } else if from > 0 {
        from -= 1;
    } else if count_left > 0 && !backwards && count.is_some() {
        // Position 0 is before the first character and uses one of the count.
        count_left -= 1;
    }
    let (from, to) = if backwards {
        let end = from;
        (end.saturating_sub(count_left).max(0), end)
    } else {
        (from, from.saturating_add(count_left))
    };
    let from = from.clamp(0, length);
    let to = to.clamp(from, length);
    (from as usize, to as usize)
}

/// `number << count`, with a negative count shifting right.
pub(crate) fn shift(number: i64, count: i64) -> i64 {
    match count {
        0..64 => ((number as u64) << count) as i64,
        64.. => 0,
        -63..0 => number >> -count,
        _ => {
            if number < 0 {
                -1
            } else {
                0
            }
        }
    }
}

/// `number` rounded to `places`, halves away from zero.
pub(crate) fn round(number: f64, places: usize) -> f64 {
    if !number.is_finite() || number.abs() >= 4_503_599_627_370_496.0 {
        return number;
    }
    decimal(number, places).parse().unwrap_or(number)
}

/// `number` with exactly `places` decimals, halves away from zero.
pub(crate) fn decimal(number: f64, places: usize) -> String {
    let exact = format!("{:.*}", places + 40, number.abs());
    let split = exact.len() - 40;
    let (kept, cut) = exact.split_at(split);
    let mut digits: Vec<u8> = kept.trim_end_matches('.').bytes().collect();
    if cut.trim_start_matches('.').as_bytes().first().is_some_and(|&digit| digit >= b'5') {
        let mut at = digits.len();
        loop {
            if at == 0 {
                digits.insert(0, b'1');
                break;
            }
            at -= 1;
            match digits[at] {
                b'.' => {}
                b'9' => digits[at] = b'0',
                _ => {
                    digits[at] += 1;
                    break;
                }
            }
        }
    }
    let text = String::from_utf8_lossy(&digits).into_owned();
    let zero = text.bytes().all(|digit| matches!(digit, b'0' | b'.'));
    if number < 0.0 && !zero { format!("-{text}") } else { text }
}

/// The Soundex code of the first word.
pub(crate) fn soundex(text: &str) -> String {
    // By bytes, of which seven bits count, as in SQLite.
    let code = |byte: u8| match (byte & 0x7f).to_ascii_lowercase() {
        b'b' | b'f' | b'p' | b'v' => 1,
        b'c' | b'g' | b'j' | b'k' | b'q' | b's' | b'x' | b'z' => 2,
        b'd' | b't' => 3,
        b'l' => 4,
        b'm' | b'n' => 5,
        b'r' => 6,
        _ => 0_u8,
    };
    let mut letters = text.bytes().skip_while(|byte| !byte.is_ascii_alphabetic());
    let Some(first) = letters.next() else { return "?000".to_owned() };
    let mut answer = char::from(first.to_ascii_uppercase()).to_string();
    let mut previous = code(first);
    for letter in letters {
        let next = code(letter);
        if next > 0 {
            if next != previous {
                previous = next;
                answer.push(char::from(b'0' + next));
            }
        } else {
            previous = 0;
        }
        if answer.len() == 4 {
            break;
        }
    }
    while answer.len() < 4 {
        answer.push('0');
    }
    answer
}

#[derive(Default)]
struct Flags {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternate: bool,
    thousands: bool,
}

/// The kept part of a text and its padding, by the arguments of `lpad` and `rpad`.
pub(crate) fn padding(args: &[Value<'_>], moment: &Moment) -> Result<Option<(String, String)>, Failure> {
    let filling = match args.get(2) {
        Some(filling) => filling.as_text(),
        None => Some(" ".into()),
    };
    let (Some(text), Some(length), Some(filling)) = (args[0].as_text(), args[1].as_int(), filling) else {
        return Ok(None);
    };
    let length = usize::try_from(length).unwrap_or(0);
    let kept: String = text.chars().take(length).collect();
    let missing = length - kept.chars().count();
    if missing == 0 || filling.is_empty() {
        return Ok(Some((kept, String::new())));
    }
    let longest = filling.chars().map(char::len_utf8).max().unwrap_or(1);
    moment.check(missing.saturating_mul(longest).saturating_add(kept.len()))?;
    Ok(Some((kept, filling.chars().cycle().take(missing).collect())))
}

/// Digits padded with zeros to a width.
fn with_zeros(digits: &str, width: usize) -> String {
    "0".repeat(width.saturating_sub(digits.len())) + digits
}

/// C's printf by SQLite's rules.
pub(crate) fn printf(format: &str, args: &[Value<'_>], room: &Room) -> Result<String, Failure> {
    const MOST: usize = i32::MAX as usize;
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    let mut args = args.iter();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = Flags::default();
        while let Some(&flag) = chars.peek() {
            match flag {
                '-' => flags.left = true,
                '+' => flags.plus = true,
                ' ' => flags.space = true,
                '0' => flags.zero = true,
                '#' => flags.alternate = true,
                ',' => flags.thousands = true,
                '!' => {}
                _ => break,
            }
            chars.next();
        }
        let mut number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Option<i64> {
            if chars.next_if_eq(&'*').is_some() {
                return Some(args.next().and_then(Value::as_int).unwrap_or(0));
            }
            let mut number = None;
            while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                chars.next();
                number = Some((number.unwrap_or(0_i64) * 10 + i64::from(digit)).min(MOST as i64));
            }
            number
        };
        let width = number(&mut chars).unwrap_or(0);
        if width < 0 {
            flags.left = true;
        }
        let width = (width.unsigned_abs() as usize).min(MOST);
        let precision = if chars.next_if_eq(&'.').is_some() {
            Some((number(&mut chars).unwrap_or(0).unsigned_abs() as usize).min(MOST))
        } else {
            None
        };
        while chars.next_if(|c| matches!(c, 'l' | 'h')).is_some() {}
        // The size of an argument's text is checked once it is there.
        let filled = if matches!(chars.peek(), Some('d' | 'i' | 'x' | 'X' | 'o' | 'c')) { precision } else { None };
        room.check_sum([out.len(), width, filled.unwrap_or(0).saturating_mul(4)])?;
        let Some(conversion) = chars.next() else {
            out.push('%');
            break;
        };
        let body = match conversion {
            '%' => "%".to_owned(),
            'd' | 'i' => {
                let value = args.next().and_then(Value::as_int).unwrap_or(0);
                let mut digits = value.unsigned_abs().to_string();
                if let Some(precision) = precision {
                    digits = with_zeros(&digits, precision);
                }
                if flags.thousands {
                    digits = grouped(&digits);
                }
                signed(&digits, value < 0, &flags, width)
            }
            'u' => (args.next().and_then(Value::as_int).unwrap_or(0) as u64).to_string(),
            'x' | 'X' | 'o' => {
                let value = args.next().and_then(Value::as_int).unwrap_or(0) as u64;
                let digits = match conversion {
                    'x' => format!("{value:x}"),
                    'X' => format!("{value:X}"),
                    _ => format!("{value:o}"),
                };
                let digits = match precision {
                    Some(precision) => with_zeros(&digits, precision),
                    None => digits,
                };
                let prefix = match conversion {
                    'x' if flags.alternate && value != 0 => "0x",
                    'X' if flags.alternate && value != 0 => "0X",
                    'o' if flags.alternate && value != 0 => "0",
                    _ => "",
                };
                if flags.zero && !flags.left {
                    let fill = width.saturating_sub(prefix.len());
                    format!("{prefix}{}", with_zeros(&digits, fill))
                } else {
                    format!("{prefix}{digits}")
                }
            }
            'f' | 'e' | 'E' | 'g' | 'G' => {
                let value = args.next().and_then(Value::as_real).unwrap_or(0.0);
                let digits = real(value, conversion, precision.unwrap_or(6).min(350), flags.alternate);
                let digits = if flags.thousands && conversion == 'f' {
                    match digits.split_once('.') {
                        Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
                        None => grouped(&digits),
                    }
                } else {
                    digits
                };
                signed(&digits, value < 0.0 && digits.bytes().any(|b| matches!(b, b'1'..=b'9' | b'I')), &flags, width)
            }
            'c' => {
                let text = args.next().and_then(Value::as_text).unwrap_or_default().into_owned();
                let one: String = text.chars().take(1).collect();
                one.repeat(precision.unwrap_or(1).max(1))
            }
            's' | 'z' => {
                let text = args.next().and_then(Value::as_text).unwrap_or_default().into_owned();
                match precision {
                    Some(precision) => text.chars().take(precision).collect(),
                    None => text,
                }
            }
            'q' | 'Q' | 'w' => {
                let value = args.next();
                let text = value.and_then(Value::as_text);
                match (conversion, text) {
                    ('Q', None) => "NULL".to_owned(),
                    ('Q', Some(text)) => format!("'{}'", text.replace('\'', "''")),
                    ('w', text) => text.unwrap_or("(NULL)".into()).replace('"', "\"\""),
                    (_, text) => text.unwrap_or("(NULL)".into()).replace('\'', "''"),
                }
            }
            _ => return Ok(out),
        };
        let length = body.chars().count();
        let fill = width.saturating_sub(length);
        room.check_sum([out.len(), body.len(), fill])?;
        if flags.left {
            out.push_str(&body);
            out.extend(std::iter::repeat_n(' ', fill));
        } else {
            out.extend(std::iter::repeat_n(' ', fill));
            out.push_str(&body);
        }
    }
    Ok(out)
}

fn signed(digits: &str, negative: bool, flags: &Flags, width: usize) -> String {
    let sign = if negative {
        "-"
    } else if flags.plus {
        "+"
    } else if flags.space {
        " "
    } else {
        ""
    };
    if flags.zero && !flags.left {
        let fill = width.saturating_sub(sign.len());
        return format!("{sign}{}", with_zeros(digits, fill));
    }
    format!("{sign}{digits}")
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The digits of a real without its sign.
fn real(value: f64, conversion: char, precision: usize, alternate: bool) -> String {
    if value.is_infinite() {
        return "Inf".to_owned();
    }
    let magnitude = value.abs();
    let scientific = |places: usize| -> String {
        let text = format!("{magnitude:.places$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let mark = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{mark}{:02}", exponent.unsigned_abs())
    };
    let text = match conversion {
        'f' => decimal(magnitude, precision),
        'e' | 'E' => scientific(precision),
        _ => {
            let precision = precision.max(1);
            let exponent: i32 = format!("{magnitude:.*e}", precision - 1)
                .split_once('e')
                .and_then(|(_, exponent)| exponent.parse().ok())
                .unwrap_or(0);
            let text = if exponent < -4 || exponent >= precision as i32 {
                scientific(precision - 1)
            } else {
                decimal(magnitude, (precision as i32 - 1 - exponent).max(0) as usize)
            };
            if alternate {
                text
            } else {
                let (mantissa, exponent) = match text.split_once('e') {
                    Some((mantissa, exponent)) => (mantissa.to_owned(), format!("e{exponent}")),
                    None => (text, String::new()),
                };
                let mantissa = if mantissa.contains('.') {
                    mantissa.trim_end_matches('0').trim_end_matches('.').to_owned()
                } else {
                    mantissa
                };
                mantissa + &exponent
            }
        }
    };
    if matches!(conversion, 'E' | 'G') { text.to_uppercase() } else { text }
}

/// An operation on two numbers; two integers return an integer if it fits.
pub(crate) fn arithmetic(
    left: &Value<'_>,
    right: &Value<'_>,
    integers: fn(i64, i64) -> Option<i64>,
    reals: fn(f64, f64) -> f64,
) -> Value<'static> {
    let (left, right) = (left.as_number(), right.as_number());
    if let (Value::Int(left), Value::Int(right)) = (&left, &right)
        && let Some(exact) = integers(*left, *right)
    {
        return Value::Int(exact);
    }
    match (left.as_real(), right.as_real()) {
        (Some(left), Some(right)) => Value::Real(reals(left, right)),
        _ => Value::Null,
    }
}
