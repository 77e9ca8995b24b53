//! Names and values: the maps of an object, headers, queries. One form for all of them, so that the module has one
//! sort.

use std::borrow::Cow;

/// A name and a value.
pub type Pair<'p> = (Cow<'p, [u8]>, Cow<'p, [u8]>);

/// Names and values. What looks one up wants them in the order of the names.
pub type Pairs<'p> = Vec<Pair<'p>>;

/// Brings them into the order of their names. Those of one name stay in theirs.
#[inline(never)]
pub fn sort(pairs: &mut Pairs<'_>) {
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
}

/// The first of each name, in the order of the names.
pub fn first_of_each(mut pairs: Pairs<'_>) -> Pairs<'_> {
    sort(&mut pairs);
    pairs.dedup_by(|(name, _), (kept, _)| name == kept);
    pairs
}

/// The last of each name, in the order of the names.
pub fn last_of_each(mut pairs: Pairs<'_>) -> Pairs<'_> {
    pairs.reverse();
    first_of_each(pairs)
}

/// These names, without values, in their order and each once.
pub fn names<'p>(names: impl Iterator<Item = Vec<u8>>) -> Pairs<'p> {
    first_of_each(names.map(|name| (Cow::Owned(name), Cow::Borrowed(&b""[..]))).collect())
}

/// Where a name is among pairs that are in order.
pub fn position(pairs: &[Pair<'_>], name: &[u8]) -> Option<usize> {
    pairs.binary_search_by(|(other, _)| other.as_ref().cmp(name)).ok()
}

/// The value of a name among pairs that are in order.
pub fn get<'p>(pairs: &'p [Pair<'_>], name: &[u8]) -> Option<&'p [u8]> {
    let (_, value) = pairs.get(position(pairs, name)?)?;
    Some(value)
}

/// The same pair, borrowed.
pub fn borrowed<'p>((name, value): &'p Pair<'_>) -> Pair<'p> {
    (Cow::Borrowed(name), Cow::Borrowed(value))
}

/// A copy that borrows nothing.
pub fn owned<'p>((name, value): &Pair<'_>) -> Pair<'p> {
    (Cow::Owned(name.to_vec()), Cow::Owned(value.to_vec()))
}

/// Bytes as UTF-8: what isn't has U+FFFD.
pub fn lossy(bytes: &[u8]) -> Cow<'_, [u8]> {
    // Nearly all are, and that takes a look at each word instead of each byte.
    if bytes.is_ascii() {
        return Cow::Borrowed(bytes);
    }
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(_) => Cow::Borrowed(bytes),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The same, where they needn't be copied.
pub fn owned_lossy(bytes: Vec<u8>) -> Vec<u8> {
    match lossy(&bytes) {
        Cow::Borrowed(_) => bytes,
        Cow::Owned(text) => text,
    }
}
