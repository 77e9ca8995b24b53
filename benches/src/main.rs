//! `make bench`: how fast the codec is, natively and inside wasm, beside prost-reflect with serde_json.
//!
//! ```text
//! codec-bench run [COMMAND…]   the table. COMMAND runs this program in wasm, to answer `serve`; without it the wasm
//!                              columns stay empty.
//! codec-bench serve            for each number of a shape, then of a case of transforms, on standard input, one line of
//!                              speeds
//! codec-bench count            each shape once in each direction, a small exchange, and each case, through
//!                              `measured_by_callgrind`
//! codec-bench counts DIRECTORY the tables of the counts that callgrind left there
//! codec-bench repeat SHAPE WAY TIMES   for a profiler; WAY is ToWire, ToJson, …
//! ```
//!
//! All ways on one shape take turns (A B A B …), natively and then in wasm; what is shown is each way's median.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use codec::{Codec, Subject, Way};
use exchange::Exchanges;

mod codec;
mod exchange;
mod shapes;
mod transforms;

/// In the order of the columns.
const WAYS: [Way; 5] = [
    Way::ToWire,
    Way::ReflectToWire,
    Way::ParseOnly,
    Way::ToJson,
    Way::ReflectToJson,
];
/// How often each way has its turn.
const TURNS: usize = 101;
/// How long a turn lasts: short enough that most turns aren't interrupted on a busy machine.
const TURN: Duration = Duration::from_millis(1);
/// How long each way warms up.
const WARM_UP: Duration = Duration::from_millis(20);

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["run", ref command @ ..] => run(command),
        ["serve"] => serve(),
        ["count"] => count(),
        ["counts", directory] => counts(directory),
        ["repeat", shape, way, times] => repeat(shape, way, times.parse().expect("a number")),
        _ => panic!("usage: codec-bench run [COMMAND…] | serve | count | counts DIRECTORY | repeat SHAPE WAY TIMES"),
    }
}

fn run(command: &[&str]) {
    let mut wasm = command.split_first().map(|(program, arguments)| {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        (child, input, output)
    });
    println!("MB of JSON per second, and how many times as fast as prost-reflect with serde_json (medians).\n");
    println!(
        "| | JSON→wire, wasm | ratio | wire→JSON, wasm | ratio | JSON→wire, native | ratio | of IgnoredAny \
         | wire→JSON, native | ratio |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    let codec = Codec::new();
    let mut in_wasm = |index: usize| {
        wasm.as_mut().map(|(_, input, output)| {
            writeln!(input, "{index}").expect("the wasm side reads");
            let line = output.next().expect("the wasm side answers").expect("a line");
            let speeds = line.split(' ').map(|speed| speed.parse().expect("a speed"));
            speeds.collect::<Vec<f64>>()
        })
    };
    let shapes = shapes::all();
    for (index, shape) in shapes.iter().enumerate() {
        let native = speeds(&mut codec.subject(shape));
        let in_wasm = in_wasm(index).map(|speeds| <[f64; WAYS.len()]>::try_from(speeds).expect("a speed for each way"));
        let wasm_columns = match in_wasm {
            Some([to_wire, reflect_to_wire, _, to_json, reflect_to_json]) => format!(
                "{to_wire:.0} | {:.1} | {to_json:.0} | {:.1}",
                to_wire / reflect_to_wire,
                to_json / reflect_to_json
            ),
            None => "– | – | – | –".to_owned(),
        };
        let [to_wire, reflect_to_wire, parse_only, to_json, reflect_to_json] = native;
        println!(
            "| {} | {wasm_columns} | {to_wire:.0} | {:.1} | {:.2} | {to_json:.0} | {:.1} |",
            shape.name,
            to_wire / reflect_to_wire,
            to_wire / parse_only,
            to_json / reflect_to_json
        );
    }
    println!("\nTransforms: MB of wire format per second.\n\n| | wasm | native |\n|---|--:|--:|");
    for (index, case) in transforms::all().iter().enumerate() {
        let native = speed_of(&mut case.subject(&shapes));
        let in_wasm = in_wasm(shapes.len() + index);
        let in_wasm = in_wasm.map_or("–".to_owned(), |speeds| format!("{:.0}", speeds[0]));
        println!("| {} | {in_wasm} | {native:.0} |", case.name);
    }
    if let Some((mut child, input, _)) = wasm {
        drop(input);
        assert!(child.wait().expect("an end").success());
    }
}

fn serve() {
    let codec = Codec::new();
    let shapes = shapes::all();
    for line in std::io::stdin().lines() {
        let number: usize = line.expect("a line").parse().expect("the number of a shape");
        let Some(shape) = shapes.get(number) else {
            println!(
                "{}",
                speed_of(&mut transforms::all()[number - shapes.len()].subject(&shapes))
            );
            continue;
        };
        let speeds = speeds(&mut codec.subject(shape));
        println!("{}", speeds.map(|speed| speed.to_string()).join(" "));
    }
}

/// Megabytes a second, one for each way.
fn speeds(subject: &mut Subject<'_>) -> [f64; WAYS.len()] {
    let bytes = WAYS.map(|way| subject.bytes(way));
    medians(bytes, |at| subject.run(WAYS[at]))
}

/// Megabytes a second.
fn speed_of(subject: &mut transforms::Subject) -> f64 {
    let [speed] = medians([subject.bytes()], |_| subject.run());
    speed
}

/// Megabytes a second of runs that take turns, each by its position and of so many bytes.
fn medians<const N: usize>(bytes: [usize; N], mut run: impl FnMut(usize)) -> [f64; N] {
    // How many runs fill a turn; finding it out warms up.
    let runs: [usize; N] = std::array::from_fn(|at| {
        let (start, mut runs) = (Instant::now(), 0_u32);
        while start.elapsed() < WARM_UP {
            run(at);
            runs += 1;
        }
        let elapsed = start.elapsed();
        ((TURN.as_secs_f64() / elapsed.as_secs_f64() * f64::from(runs)) as usize).max(1)
    });
    let mut turns = [const { Vec::new() }; N];
    for _ in 0..TURNS {
        for (at, turns) in turns.iter_mut().enumerate() {
            let start = Instant::now();
            for _ in 0..runs[at] {
                run(at);
            }
            turns.push((bytes[at] * runs[at]) as f64 / 1e6 / start.elapsed().as_secs_f64());
        }
    }
    turns.map(|mut turns| {
        turns.sort_by(f64::total_cmp);
        turns[TURNS / 2]
    })
}

/// Shape by shape, both directions, and an exchange: what [`counts`] then finds in callgrind's files, one for each call.
fn count() {
    let codec = Codec::new();
    for shape in shapes::all() {
        let mut subject = codec.subject(&shape);
        for way in [Way::ToWire, Way::ToJson] {
            subject.run(way);
            measured_by_callgrind(&mut || subject.run(way));
        }
    }
    let mut exchanges = Exchanges::new();
    // An allocator is slow at first.
    for _ in 0..100 {
        exchanges.unary(Exchanges::headers());
    }
    let mut headers = Some(Exchanges::headers());
    measured_by_callgrind(&mut || exchanges.unary(headers.take().expect("one call")));
    for case in transforms::all() {
        let mut subject = case.subject(&shapes::all());
        measured_by_callgrind(&mut || subject.run());
    }
}

#[inline(never)]
fn measured_by_callgrind(run: &mut dyn FnMut()) {
    std::hint::black_box(run)();
}

fn counts(directory: &str) {
    println!("\nInstructions per byte of JSON (x86-64, by callgrind), and in all.\n");
    println!("| | JSON→wire | | wire→JSON | |\n|---|--:|--:|--:|--:|");
    let codec = Codec::new();
    let shapes = shapes::all();
    for (index, shape) in shapes.iter().enumerate() {
        let subject = codec.subject(shape);
        let columns = [Way::ToWire, Way::ToJson].iter().enumerate().map(|(direction, way)| {
            let count = Count::read(directory, index * 2 + direction);
            let per_byte = count.instructions as f64 / subject.bytes(*way) as f64;
            format!("{per_byte:.2} | {}", count.instructions)
        });
        println!("| {} | {} |", shape.name, columns.collect::<Vec<_>>().join(" | "));
    }
    let Count {
        instructions,
        lines,
        pages,
    } = Count::read(directory, shapes.len() * 2);
    println!(
        "\nA small unary exchange without its host: {instructions} instructions, in {lines} cache lines and {pages} pages of \
         code."
    );
    println!("\nTransforms: instructions per byte of wire format, and in all.\n\n| | | |\n|---|--:|--:|");
    for (index, case) in transforms::all().iter().enumerate() {
        let Count { instructions, .. } = Count::read(directory, shapes.len() * 2 + 1 + index);
        let bytes = case.subject(&shapes).bytes() as f64;
        println!(
            "| {} | {:.2} | {instructions} |",
            case.name,
            instructions as f64 / bytes
        );
    }
}

/// What one call took.
struct Count {
    instructions: u64,
    /// Of code, of 64 bytes: a gateway does much between two requests, and each of them may have to come from memory.
    lines: usize,
    /// Of code, of 4 KiB.
    pages: usize,
}

impl Count {
    /// Reads the file of the call with this number, counted from 0. Costs stand behind the addresses of instructions
    /// (Valgrind's manual, "Callgrind Format Specification").
    fn read(directory: &str, call: usize) -> Self {
        let file = format!("{directory}/callgrind.{}", call + 1);
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let addresses = text.lines().filter_map(|line| {
            let address = line.strip_prefix("0x")?.split(' ').next()?;
            u64::from_str_radix(address, 16).ok()
        });
        let addresses: BTreeSet<_> = addresses.collect();
        let blocks = |size: u64| addresses.iter().map(|address| address / size).collect::<BTreeSet<_>>();
        Self {
            instructions: total.expect("callgrind's total").trim().parse().expect("a number"),
            lines: blocks(64).len(),
            pages: blocks(4096).len(),
        }
    }
}

fn repeat(shape: &str, way: &str, times: usize) {
    let codec = Codec::new();
    let shapes = shapes::all();
    let shape = shapes
        .iter()
        .find(|known| known.name.starts_with(shape))
        .expect("a shape");
    let way = WAYS.iter().find(|known| format!("{known:?}") == way).expect("a way");
    let mut subject = codec.subject(shape);
    for _ in 0..times {
        subject.run(*way);
    }
}
