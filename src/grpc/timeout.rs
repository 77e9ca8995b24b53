//! The `grpc-timeout` header: one to eight digits and a unit (`doc/PROTOCOL-HTTP2.md`, "Timeout").

use std::fmt;
use std::time::Duration;

use crate::text::shown::{HEADER, beginning};

/// Reads the value of a `grpc-timeout` header. Zero is an error: a call that may take no time cannot succeed.
pub fn parse(value: &[u8]) -> Result<Duration, BadTimeout> {
    let bad = || BadTimeout {
        found: beginning(&String::from_utf8_lossy(value), HEADER).0.to_owned(),
    };
    let (unit, digits) = value.split_last().ok_or_else(bad)?;
    let (_, nanos) = UNITS.iter().find(|(letter, _)| letter == unit).ok_or_else(bad)?;
    if !(1..=MAX_DIGITS).contains(&digits.len()) {
        return Err(bad());
    }
    let mut amount = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(bad());
        }
        amount = amount * 10 + u64::from(digit - b'0');
    }
    if amount == 0 {
        return Err(bad());
    }
    Ok(Duration::from_nanos_u128(u128::from(amount) * u128::from(*nanos)))
}

/// `timeout` as the value of a `grpc-timeout` header: in the largest unit that is exact, else in the smallest
/// that eight digits hold, rounded up. Never zero; what is beyond eight digits of hours is the largest value there is.
pub fn format(timeout: Duration) -> String {
    let (letter, amount) = in_unit(timeout);
    let mut text = String::with_capacity(MAX_DIGITS + 1);
    text.push_str(itoa::Buffer::new().format(amount));
    text.push(char::from(letter));
    text
}

fn in_unit(timeout: Duration) -> (u8, u64) {
    let nanos = timeout.as_secs().checked_mul(1_000_000_000);
    let Some(nanos) = nanos.and_then(|nanos| nanos.checked_add(u64::from(timeout.subsec_nanos()))) else {
        // 584 years and more: eight digits hold them in hours alone.
        let seconds = timeout.as_secs().saturating_add(u64::from(timeout.subsec_nanos() > 0));
        return (b'H', seconds.div_ceil(3600).min(MAX_AMOUNT));
    };
    let nanos = nanos.max(1);
    let exact = UNITS
        .iter()
        .find(|(_, unit)| nanos.is_multiple_of(*unit) && nanos / unit <= MAX_AMOUNT);
    let fitting = || UNITS.iter().rev().find(|(_, unit)| nanos.div_ceil(*unit) <= MAX_AMOUNT);
    match exact.or_else(fitting) {
        Some((letter, unit)) => (*letter, nanos.div_ceil(*unit)),
        None => (b'H', MAX_AMOUNT),
    }
}

/// A `grpc-timeout` that is malformed or zero. To the client it is 400, INVALID_ARGUMENT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTimeout {
    /// The beginning of the value, as text.
    found: String,
}

impl fmt::Display for BadTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "found grpc-timeout {:?}, expected 1 to 8 digits, not all zero, and a unit: H, M, S, m, u or n",
            self.found
        )
    }
}

impl std::error::Error for BadTimeout {}

/// The units and their nanoseconds, the largest first.
const UNITS: [(u8, u64); 6] = [
    (b'H', 3_600_000_000_000),
    (b'M', 60_000_000_000),
    (b'S', 1_000_000_000),
    (b'm', 1_000_000),
    (b'u', 1_000),
    (b'n', 1),
];

const MAX_DIGITS: usize = 8;
const MAX_AMOUNT: u64 = 99_999_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_digits_and_a_unit() {
        for (value, expected) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("10S", Duration::from_secs(10)),
            ("250m", Duration::from_millis(250)),
            ("7u", Duration::from_micros(7)),
            ("1n", Duration::from_nanos(1)),
            ("00000001S", Duration::from_secs(1)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ] {
            assert_eq!(parse(value.as_bytes()), Ok(expected), "{value}");
        }
    }

    #[test]
    fn zero_and_malformed_values_are_refused() {
        let table: [&[u8]; 15] = [
            b"",
            b"S",
            b"5",
            b"0S",
            b"00000000n",
            b"000000001S",
            b"123456789m",
            b"5s",
            b"5h",
            b"-5S",
            b"+5S",
            b"1.5S",
            b" 5S",
            b"5 S",
            b"\xff",
        ];
        for value in table {
            assert!(parse(value).is_err(), "{}", String::from_utf8_lossy(value));
        }
        assert_eq!(
            parse(b"5s").unwrap_err().to_string(),
            "found grpc-timeout \"5s\", expected 1 to 8 digits, not all zero, and a unit: H, M, S, m, u or n"
        );
    }

    #[test]
    fn durations_are_written_exactly_where_possible_and_else_rounded_up() {
        for (timeout, expected) in [
            (Duration::ZERO, "1n"),
            (Duration::from_nanos(1), "1n"),
            (Duration::from_nanos(1_500), "1500n"),
            (Duration::from_millis(1), "1m"),
            (Duration::from_millis(1500), "1500m"),
            (Duration::from_secs(15), "15S"),
            (Duration::from_secs(120), "2M"),
            (Duration::from_secs(7200), "2H"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_001), "100001u"),
            (Duration::new(100, 1), "100001m"),
            (Duration::from_secs(359_999_999_999), "99999999H"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(format(timeout), expected, "{timeout:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back_and_is_never_shorter() {
        let mut nanos = 1u64;
        while let Some(next) = nanos.checked_mul(3) {
            for timeout in [Duration::from_nanos(nanos), Duration::from_nanos(nanos + 1)] {
                let read = parse(format(timeout).as_bytes()).unwrap();
                assert!(read >= timeout, "{timeout:?} {read:?}");
                assert!(
                    read <= timeout.mul_f64(1.001) + Duration::from_nanos(1),
                    "{timeout:?} {read:?}"
                );
            }
            nanos = next;
        }
    }
}
