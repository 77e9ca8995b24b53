//! Texts and bytes of any size.

// The shapes of JSON.

pub fn wrap(before: &str, item: &str, count: usize, after: &str) -> String {
    format!("{before}{}{after}", item.repeat(count))
}

/// The same with each item's position, in five digits, for every `~` in it.
pub fn numbered(before: &str, item: &str, count: usize, after: &str) -> String {
    let items: String = (0..count)
        .map(|at| item.replace('~', &format!("{}", 10_000 + at)))
        .collect();
    format!("{before}{items}{after}")
}

/// `levels` objects in each other around an empty one.
pub fn chain(open: &str, levels: usize, close: &str) -> String {
    format!("{}{{}}{}", open.repeat(levels), close.repeat(levels))
}

/// `levels` of `Any` in each other, the type last in each, around a text.
pub fn any_chain(levels: usize, text: &str) -> String {
    let open = r#"{"any":"#.repeat(levels);
    let close = r#","@type":"a/t.M"}"#.repeat(levels - 1);
    format!("{open}{{\"text\":\"{text}\",\"@type\":\"a/t.M\"}}{close}}}")
}

// The shapes of wire format.

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn tag(number: u32, wire_type: u64) -> Vec<u8> {
    let mut out = Vec::new();
    write_varint(u64::from(number) << 3 | wire_type, &mut out);
    out
}

pub fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut out = tag(number, 0);
    write_varint(value, &mut out);
    out
}

pub fn len(number: u32, contents: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = tag(number, 2);
    write_varint(contents.as_ref().len() as u64, &mut out);
    out.extend_from_slice(contents.as_ref());
    out
}

pub fn group(number: u32, contents: impl AsRef<[u8]>) -> Vec<u8> {
    [tag(number, 3), contents.as_ref().to_vec(), tag(number, 4)].concat()
}

/// A gRPC frame with these flags.
pub fn framed(flags: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[flags], &length.to_be_bytes()[..], message].concat()
}
