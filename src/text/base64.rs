//! Base64 as peers write it: with padding or without, and whatever the bits that are left over.

use base64::alphabet::{self, Alphabet};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine as _};

/// RFC 4648, section 4.
pub const STANDARD: GeneralPurpose = lenient(&alphabet::STANDARD);

/// RFC 4648, section 5.
pub const URL_SAFE: GeneralPurpose = lenient(&alphabet::URL_SAFE);

/// Padding may be there or not ("Binary-Header" in `doc/PROTOCOL-HTTP2.md`).
const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    GeneralPurpose::new(
        alphabet,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    )
}

/// Decodes text in either alphabet, or in both, with white space anywhere.
///
/// # Errors
///
/// When it is no base64.
pub fn decode_text(text: &str) -> Result<Vec<u8>, DecodeError> {
    let standard: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    STANDARD.decode(standard)
}
