//! Names by their hash: open addressing, filled once.

/// No field, where a position is expected.
pub(super) const NONE: u32 = u32::MAX;

/// A place for a name; free where its field is [`NONE`].
#[derive(Clone, Copy, Debug)]
pub(super) struct NameSlot {
    pub(super) hash: u32,
    pub(super) field: u32,
}

/// Slots for distinct names, each with its position; a power of two long, at most half full, so that every probe ends.
pub(super) fn name_slots<'n>(names: impl ExactSizeIterator<Item = &'n [u8]>, seed: u64) -> Box<[NameSlot]> {
    let length = (names.len() * 2).next_power_of_two().max(2);
    let mask = length - 1;
    let mut slots = vec![NameSlot { hash: 0, field: NONE }; length];
    for (name, field) in names.zip(0..) {
        let hash = hash_name(seed, name);
        let mut at = hash as usize & mask;
        while let Some(slot) = slots.get_mut(at) {
            if slot.field == NONE {
                *slot = NameSlot { hash, field };
                break;
            }
            at = (at + 1) & mask;
        }
    }
    slots.into()
}

/// Word by word: names are short, and nothing a client sends is ever put into a table, so that the worst it can do is to
/// ask for the slot with the longest probe.
#[inline]
pub(super) fn hash_name(seed: u64, name: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(FACTOR);
        product ^ product >> 32
    };
    let mut hash = seed ^ name.len() as u64;
    for word in name.as_chunks::<8>().0 {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    // What is left over, with bytes before it that were seen already.
    let last = match (name.last_chunk::<8>(), name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (Some(last), ..) => u64::from_le_bytes(*last),
        (_, Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    hash = mix(hash, last);
    (hash ^ hash >> 32) as u32
}
