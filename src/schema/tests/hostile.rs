//! Random damage to texts and sets: an error at most.

use super::*;

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'p, T>(&mut self, of: &'p [T]) -> &'p T {
        &of[self.below(of.len())]
    }
}

/// How many mutations each of the tests below tries; more with `PROTOBRIDGE_MUTATIONS`.
fn mutations() -> u64 {
    std::env::var("PROTOBRIDGE_MUTATIONS").map_or(400, |number| number.parse().unwrap())
}

/// Compiles and goes on to what a request would do with the schema.
fn survive(set: &[u8]) -> bool {
    let Ok(schema) = Schema::compile(Source::DescriptorSet(set), LIMIT) else {
        return false;
    };
    let _ = tables(&schema);
    for method in schema.services().iter().flat_map(ServiceDescriptor::methods) {
        let _ = (method.options(), method.input(), method.output());
    }
    true
}

/// The files of the rich set that aren't bundled, so that mutations hit what is interesting.
fn rich_files() -> Vec<RawFile> {
    let mut files = descriptor_set::read(&rich_set(), &mut Features::default()).unwrap();
    files.retain(|file| file.name().starts_with("rich"));
    files
}

#[test]
fn a_cut_descriptor_set_never_panics() {
    let set = descriptor_set::write(&rich_files(), &[]);
    let step = set.len() / mutations() as usize + 1;
    for length in (0..set.len()).step_by(step) {
        assert!(!survive(&set[..length]) || length > 0);
    }
}

#[test]
fn a_descriptor_set_with_wrong_bytes_never_panics() {
    let set = descriptor_set::write(&rich_files(), &[]);
    for seed in 0..mutations() {
        let random = &mut Random(seed);
        let mut bytes = set.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(5) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next() as u8,
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, random.next() as u8),
                _ => {
                    let length = random.below(30).min(bytes.len() - at);
                    let piece = bytes[at..at + length].to_vec();
                    let to = random.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
        survive(&bytes);
    }
}

#[test]
fn a_descriptor_set_with_wrong_elements_never_panics() {
    let files = rich_files();
    let mut compiled = 0;
    for seed in 0..mutations() {
        let random = &mut Random(seed);
        let mut files = files.clone();
        for _ in 0..=random.below(3) {
            mutate_file(random, &mut files);
        }
        compiled += u64::from(survive(&descriptor_set::write(&files, &[])));
    }
    // Mutations that all fail in the first check would test nothing behind it.
    assert!(compiled > 0);
}

const NAMES: [&str; 16] = [
    "",
    ".",
    "a",
    "rich",
    "Rich",
    ".rich.Rich",
    ".rich.Rich.Kind",
    ".rich.Rich.Inner",
    ".rich.Rich.ChildrenEntry",
    "rich.Rich",
    ".rich.Note",
    ".google.protobuf.FieldOptions",
    ".google.protobuf.MethodOptions",
    "key",
    "value",
    ".rich2.Old",
];

fn some_name(random: &mut Random) -> Option<String> {
    match random.below(10) {
        0 => None,
        _ => Some((*random.pick(&NAMES)).to_owned()),
    }
}

fn mutate_file(random: &mut Random, files: &mut [RawFile]) {
    let other = random.pick(files).clone();
    let at = random.below(files.len());
    let file = &mut files[at];
    match random.below(13) {
        12 => file.dependency.push("missing.proto".to_owned()),
        0 => file.name = some_name(random).or(other.name),
        1 => file.package = some_name(random),
        2 => file.dependency.push(other.name().to_owned()),
        3 => drop(file.dependency.pop()),
        4 => file.public_dependency.push(random.below(9) as i32 - 2),
        5 => {
            file.syntax =
                [None, Some("proto2"), Some("proto3"), Some("editions"), Some("")][random.below(5)].map(str::to_owned)
        }
        6 => file.edition = Some(1000),
        7 => file.extension.extend(
            other
                .message_type
                .iter()
                .flat_map(|message| message.field.clone())
                .take(1),
        ),
        8 => {
            let message = random.pick(&other.message_type).clone();
            file.message_type.push(message);
        }
        9 if !file.service.is_empty() => {
            let method = &mut file.service[0].method[0];
            match random.below(3) {
                0 => method.input_type = some_name(random),
                1 => method.options = other.options,
                _ => method.output_type = some_name(random),
            }
        }
        _ => {
            let at = random.below(file.message_type.len());
            if let Some(message) = file.message_type.get_mut(at) {
                mutate_message(random, message);
            }
        }
    }
}

fn mutate_message(random: &mut Random, message: &mut RawMessage) {
    if !message.nested_type.is_empty() && random.below(2) == 0 {
        let at = random.below(message.nested_type.len());
        return mutate_message(random, &mut message.nested_type[at]);
    }
    match random.below(10) {
        0 => message.name = some_name(random),
        1 => message.options = Some(vec![7 << 3, 1]),
        2 => message.options = None,
        3 => drop(message.nested_type.pop()),
        4 => drop(message.oneof_decl.pop()),
        5 => drop(message.field.pop()),
        6 => message.extension_range.clear(),
        _ => {
            let options: Vec<_> = message.field.iter().map(|field| field.options.clone()).collect();
            let at = random.below(message.field.len());
            let Some(field) = message.field.get_mut(at) else { return };
            match random.below(10) {
                0 => field.name = some_name(random),
                1 => field.number = Some(*random.pick(&[i32::MIN, -1, 0, 1, 2, 3, 19_000, 536_870_912, i32::MAX])),
                2 => field.label = Some(random.below(5) as i32),
                3 => field.r#type = Some(random.below(20) as i32),
                4 => field.type_name = some_name(random),
                5 => field.extendee = some_name(random),
                6 => field.default_value = some_name(random),
                7 => field.oneof_index = Some(random.below(4) as i32 - 1),
                8 => field.json_name = some_name(random),
                _ => field.options = random.pick(&options).clone(),
            }
            if random.below(3) == 0 {
                field.proto3_optional = Some(true);
            }
            if random.below(2) == 0 && field.r#type == Some(MESSAGE) {
                field.r#type = Some(GROUP);
            }
        }
    }
}

#[test]
fn a_mutated_text_never_panics() {
    const PIECES: [&str; 30] = [
        "{", "}", "[", "]", "(", ")", "<", ">", ";", "=", ",", ".", "\"", "'", "/*", "*/", "//", "#", "\n", "message ",
        "enum ", "oneof ", "map<", "group ", "extend ", "option ", "-", "0x", "1e999", "\u{fc}\\",
    ];
    for seed in 0..mutations() {
        let random = &mut Random(seed);
        // The other two are as they are.
        let mut texts = [
            ("rich.proto", RICH.to_owned()),
            ("rich2.proto", RICH2.to_owned()),
            ("optioned.proto", missing_imports::optioned()),
        ];
        let (name, mutated) = &mut texts[seed as usize % 3];
        let name = *name;
        let mut text: Vec<char> = mutated.chars().collect();
        for _ in 0..=random.below(3) {
            let at = random.below(text.len());
            match random.below(4) {
                0 => text.truncate(at + 1),
                1 => drop(text.remove(at)),
                2 => drop(text.splice(at..at, random.pick(&PIECES).chars())),
                _ => {
                    let end = (at + random.below(20)).min(text.len());
                    let piece: Vec<char> = text[at..end].to_vec();
                    let to = random.below(text.len());
                    text.splice(to..to, piece);
                }
            }
        }
        *mutated = text.into_iter().collect();
        let texts = texts.map(|(name, text)| (name.to_owned(), text));
        let Err(problems) = Schema::compile(Source::Protos(&texts), LIMIT) else {
            continue;
        };
        for error in problems.shown() {
            if error.file.as_deref() == Some(name) && !error.message.starts_with("extension ") {
                assert!(error.position.is_some(), "{error}\n{texts:?}");
            }
        }
    }
}
