//! Base64 as peers write it: with padding or without.

use base64::Engine as _;
use base64::alphabet::{self, Alphabet};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

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

/// Base64 in either alphabet, with or without padding, with white space anywhere.
pub fn decode_base64(text: &str) -> Result<Vec<u8>, String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let standard: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    LENIENT
        .decode(standard)
        .map_err(|error| format!("expected base64, but found other text ({error})"))
}
