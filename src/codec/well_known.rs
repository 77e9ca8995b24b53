//! What `google.protobuf.Timestamp` and `google.protobuf.Duration` may hold, in numbers and in words.

/// The first second of a `Timestamp`, 0001-01-01T00:00:00Z, in the Unix epoch (timestamp.proto).
pub(super) const FIRST_SECOND: i64 = -62_135_596_800;
/// The last second of a `Timestamp`, 9999-12-31T23:59:59Z (timestamp.proto).
pub(super) const LAST_SECOND: i64 = 253_402_300_799;
/// The most seconds of a `Duration`, either way: 10,000 years of 365.25 days (duration.proto).
pub(super) const DURATION_SECONDS: i64 = 315_576_000_000;
/// Nanoseconds are less than this; those of a `Duration` have the sign of its seconds.
pub(super) const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// What a timestamp is called in errors.
pub(super) const EXPECTED_TIMESTAMP: &str =
    "an RFC 3339 timestamp from year 1 to 9999 such as \"2006-01-02T15:04:05.999Z\"";

/// What a duration is called in errors.
pub(super) const EXPECTED_DURATION: &str = "a duration within 10,000 years such as \"1.5s\"";
