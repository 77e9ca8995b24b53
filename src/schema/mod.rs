//! The schema: from `.proto` text or a descriptor set to descriptors, and from these to the codec's tables.

pub mod tables;
