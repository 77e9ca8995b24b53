//! Text forms that every floor above reads or writes.

pub mod append;
pub mod base64;
pub mod equal;
pub mod percent;
pub mod problems;
pub mod shown;
