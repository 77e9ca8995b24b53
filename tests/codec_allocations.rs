//! What the codec allocates, told by an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use protobridge::codec::{JsonInput, JsonToWire, ParseOptions, PrintOptions, WireToJson};
use protobridge::schema::tables::{MessageIndex, Tables};
use protobridge::schema::{Schema, Source};

#[test]
fn once_warm_neither_direction_allocates() {
    let tables = tables();
    for (name, json) in ordinary() {
        let mut codec = Codec::new(&tables);
        // The second message finds the buffers as large as they have to be.
        for round in 0..4 {
            let ((), reading) = counted(|| codec.read(json.as_bytes()));
            let ((), printing) = counted(|| codec.print());
            if round >= 1 {
                assert_eq!((reading.count, printing.count), (0, 0), "{name}, round {round}");
            }
        }
    }
}

#[test]
fn a_new_output_buffer_grows_only_once() {
    let tables = tables();
    for (name, json) in ordinary() {
        let mut codec = Codec::new(&tables);
        codec.read(json.as_bytes());
        codec.print();
        for _ in 0..2 {
            codec.wire = Vec::new();
            codec.json = Vec::new();
            let ((), reading) = counted(|| codec.read(json.as_bytes()));
            let ((), printing) = counted(|| codec.print());
            assert_eq!(
                (reading.count, printing.count),
                (1, 1),
                "{name}: sized by the last message"
            );
        }
    }
}

#[test]
fn memory_stays_within_1_2_times_input_and_output() {
    let tables = tables();
    // Maps aside, whose keys are noted until the map ends.
    for megabyte in [list(3000), numbers(200_000)] {
        // The first message too, of which nothing is known.
        let mut codec = Codec::new(&tables);
        for round in 0..2 {
            codec.wire = Vec::new();
            codec.json = Vec::new();
            let ((), reading) = counted(|| codec.read(megabyte.as_bytes()));
            let bound = |input: usize, output: usize| (input + output) * 6 / 5 - input;
            let allowed = bound(megabyte.len(), codec.wire.len());
            assert!(reading.peak <= allowed, "round {round}: {} > {allowed}", reading.peak);
            let ((), printing) = counted(|| codec.print());
            let allowed = bound(codec.wire.len(), codec.json.len());
            assert!(printing.peak <= allowed, "round {round}: {} > {allowed}", printing.peak);
        }
    }
}

/// Both directions, with their buffers.
struct Codec<'t> {
    tables: &'t Tables,
    message: MessageIndex,
    to_wire: JsonToWire,
    to_json: WireToJson,
    wire: Vec<u8>,
    json: Vec<u8>,
}

impl<'t> Codec<'t> {
    fn new(tables: &'t Tables) -> Self {
        Self {
            tables,
            message: tables.message_index("test.everything.Everything").unwrap(),
            to_wire: JsonToWire::default(),
            to_json: WireToJson::default(),
            wire: Vec::new(),
            json: Vec::new(),
        }
    }

    fn read(&mut self, json: &[u8]) {
        self.wire.clear();
        self.to_wire
            .message(
                self.tables,
                self.message,
                JsonInput::new(json, &ParseOptions::default()),
                &mut self.wire,
            )
            .unwrap();
    }

    fn print(&mut self) {
        self.json.clear();
        self.to_json
            .message(
                self.tables,
                self.message,
                &self.wire,
                &PrintOptions::default(),
                &mut self.json,
            )
            .unwrap();
    }
}

fn tables() -> Tables {
    let proto = include_str!("../proto-fixtures/everything.proto");
    let schema = Schema::compile(Source::Proto(proto), usize::MAX).unwrap();
    Tables::build(schema.pool(), schema.features(), 1)
}

fn ordinary() -> Vec<(&'static str, String)> {
    vec![
        ("empty", "{}".to_owned()),
        (
            "scalars",
            r#"{"doubleValue":0.1,"floatValue":-2.5,"int32Value":-3,"int64Value":"-4","uint64Value":"6","boolValue":true,
               "stringValue":"text","bytesValue":"AP8=","color":"RED","optionalInt32":0,"choiceString":"x"}"#
                .to_owned(),
        ),
        ("escapes", r#"{"stringValue":"\"\n\u00fc\ud83d\ude00","strings":["\\","é"]}"#.to_owned()),
        ("objects", list(10)),
        ("many objects", list(1000)),
        ("packed", numbers(1000)),
        ("doubles", format!(r#"{{"doubles":[{}1]}}"#, "0.12345678901234567,1e300,".repeat(50))),
        ("map", map(200)),
        ("messages in a map", r#"{"int32Map":{"-1":{"name":"m"},"7":{"count":3,"tags":["a"]}}}"#.to_owned()),
        (
            "well-known types",
            r#"{"timestamp":"2024-02-29T12:00:00.123Z","duration":"-1.5s","mask":"a.bC,d","stringWrapper":"",
               "struct":{"a":{"b":[true,null,1.5,"x"]},"c":"d"},"value":"text","listValue":[1.5,"x"]}"#
                .to_owned(),
        ),
        (
            "Any",
            r#"{"any":{"@type":"type.googleapis.com/test.everything.Child","name":"any"}}"#.to_owned(),
        ),
    ]
}

fn list(count: usize) -> String {
    let children: Vec<_> = (0..count)
        .map(|index| {
            format!(
                r#"{{"name":"children/{index}/name","count":{index},"child":{{"name":"{}"}},"tags":["one","another"],"color":"RED","circle":"round"}}"#,
                "x".repeat(index % 300)
            )
        })
        .collect();
    format!(r#"{{"children":[{}]}}"#, children.join(","))
}

fn numbers(count: usize) -> String {
    let numbers: Vec<_> = (0..count).map(|index| (index * 7919 % 100_000).to_string()).collect();
    format!(r#"{{"int32s":[{}]}}"#, numbers.join(","))
}

fn map(count: usize) -> String {
    let entries: Vec<_> = (0..count)
        .map(|index| format!(r#""some-longer-key-{index}":"the value of key {index}""#))
        .collect();
    format!(r#"{{"stringMap":{{{}}}}}"#, entries.join(","))
}

/// What was allocated on this thread while something ran.
struct Counted {
    /// How many allocations, growing included.
    count: usize,
    /// The most bytes at one time, above those that were there before.
    peak: usize,
}

fn counted<T>(work: impl FnOnce() -> T) -> (T, Counted) {
    let before = CURRENT.get();
    COUNT.set(0);
    PEAK.set(before);
    let result = work();
    let counted = Counted {
        count: COUNT.get(),
        peak: PEAK.get().saturating_sub(before).unsigned_abs(),
    };
    (result, counted)
}

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    // Signed: memory may be freed on another thread than the one that allocated it.
    static CURRENT: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

impl Counting {
    fn allocated(bytes: usize) {
        COUNT.set(COUNT.get() + 1);
        CURRENT.set(CURRENT.get() + bytes as isize);
        PEAK.set(PEAK.get().max(CURRENT.get()));
    }

    fn freed(bytes: usize) {
        CURRENT.set(CURRENT.get() - bytes as isize);
    }
}

// SAFETY: all of it is the system's allocator; counting touches thread-locals without destructors and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::allocated(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::freed(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both at once, as when the contents have to move.
        Self::allocated(size);
        Self::freed(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
