//! README.md and docs/ say what the code does, where that can be compared, and link to what is there.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use markdown::blocks;
use pages::{PAGES, Piece, page, pieces, root};
use protobridge::config::Plugin;
use protobridge::config::keys::{KEYS, Kind};
use protobridge::exchange::failure::Reason;
use protobridge::grpc::Code;
use protobridge::hooks::native::{CODES, refusal_code};
use serde_json::{Value, json};

#[path = "harness/markdown.rs"]
mod markdown;
#[path = "harness/pages.rs"]
mod pages;

#[test]
fn every_key_is_in_the_reference_and_no_other() {
    let documented: Vec<_> = reference().into_iter().map(|row| row.key).collect();
    let unique: BTreeSet<_> = documented.iter().map(String::as_str).collect();
    assert_eq!(unique.len(), documented.len(), "a key is there twice: {documented:?}");
    // An object is there by the keys below it.
    let known = KEYS.iter().filter(|key| key.kind != Kind::Object).map(|key| key.path);
    assert_eq!(unique, known.collect());
}

#[test]
fn the_reference_gives_each_key_its_type_and_default() {
    for row in reference() {
        let key = KEYS.iter().find(|key| key.path == row.key).unwrap();
        assert_eq!(row.kind, kind(key.kind), "{}", row.key);
        match key.default {
            Some(default) => assert_eq!(row.default, literal(default), "{}", row.key),
            // Words, if anything: there is no such value.
            None => assert!(!row.default.contains('`'), "{}: {}", row.key, row.default),
        }
    }
}

#[test]
fn the_limits_are_said_in_units_too() {
    for (path, words) in [
        ("limits.max_proto_bytes", "1 MiB"),
        ("limits.max_schema_bytes", "16 MiB"),
        ("limits.max_request_bytes", "32 MiB"),
        ("limits.max_response_bytes", "32 MiB"),
        ("limits.max_message_bytes", "16 MiB"),
    ] {
        let key = KEYS.iter().find(|key| key.path == path).unwrap();
        let mebibytes = key.default.unwrap().parse::<u64>().unwrap() as f64 / 1048576.0;
        assert_eq!(words, format!("{mebibytes} MiB"), "{path}");
        let row = page("operation.md")
            .lines()
            .find(|line| line.contains(&format!(" | `{path}` | {words} | ")));
        assert!(row.is_some(), "{path}: {words}");
    }
}

#[test]
fn each_code_has_the_http_status_that_the_table_gives() {
    let mut seen = BTreeSet::new();
    for row in table("| Code | HTTP | | Code | HTTP |") {
        for (code, status) in [(&row[0], &row[1]), (&row[3], &row[4])] {
            let (number, name) = code.split_once(' ').unwrap();
            let code = Code::from_number(number.parse().unwrap());
            assert_eq!(name.split(',').next().unwrap(), code.name());
            assert_eq!(status.parse(), Ok(code.http_status()), "{name}");
            seen.insert(code.number());
        }
    }
    assert_eq!(seen, (1..=16).collect());
}

#[test]
fn each_refusal_of_a_hook_has_the_code_that_the_table_gives() {
    let mut seen = BTreeSet::new();
    for row in table("| gRPC code | HTTP status of a hook's refusal |") {
        for words in row[1].split(", ") {
            // A hundred has one that isn't by itself.
            let status = words
                .split_once('x')
                .map_or(words, |(hundred, _)| &hundred[hundred.len() - 1..]);
            let (status, alone) = match status.parse().unwrap() {
                hundred @ ..=9 => (hundred * 100 + 77, false),
                status => (status, true),
            };
            assert_eq!(refusal_code(status).name(), row[0], "{words}");
            if alone {
                seen.insert(status);
            }
        }
    }
    assert_eq!(seen, CODES.iter().map(|(status, _)| *status).collect());
}

#[test]
fn links_within_the_repository_lead_somewhere() {
    let mut seen = 0;
    for (path, text) in &*PAGES {
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => normalize(&path.parent().unwrap().join(file)),
            };
            assert!(root().join(&target).exists(), "{}: {link}", path.display());
            if !fragment.is_empty() {
                let anchors = anchors(&PAGES[&target]);
                assert!(anchors.contains(fragment), "{}: {link}: {anchors:?}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn the_index_has_every_page() {
    let readme = &PAGES[Path::new("README.md")];
    let index = &readme[readme.rfind("\n## ").unwrap()..];
    for path in PAGES.keys().filter(|path| path.starts_with("docs")) {
        let path = path.display();
        assert!(index.contains(&format!("]({path})")), "{path}");
    }
}

#[test]
fn the_proto_of_the_whole_configuration_is_served() {
    let configuration = json!({ "proto": greeter(), "hold_headers": true, "upstream": { "timeout": "15s" } });
    Plugin::load(configuration.to_string().as_bytes(), 0).unwrap();
}

#[test]
fn the_errors_that_it_shows_are_those_of_such_a_configuration() {
    let configuration = json!({
        "proto": greeter().replace("/v1/greet/{name}", "/v1/greet/{nam}"),
        "limits": { "max_request_bytes": "4MiB" },
        "http_rules": [{ "selector": "greeter.Greeter.Great", "get": "/v1/great" }],
    });
    let errors = Plugin::load(configuration.to_string().as_bytes(), 0).unwrap_err();
    let shown = page("getting-started.md").lines();
    let shown = shown.filter_map(|line| line.strip_prefix("    "));
    let shown: Vec<_> = shown.filter(|line| line.starts_with("configuration: ")).collect();
    assert_eq!(errors.to_string(), shown.join("\n"));
}

#[test]
fn the_counterpart_of_an_api_definition_is_served() {
    let blocks = blocks(page("from-tyk.md"), "json").into_iter();
    let blocks = blocks.map(|block| serde_json::from_str::<Value>(block).unwrap());
    let [classic, _, mut ours] = <[Value; 3]>::try_from(blocks.collect::<Vec<_>>()).unwrap();
    ours["proto"] = json!(greeter());
    assert!(Plugin::load(ours.to_string().as_bytes(), 0).unwrap().hooks.is_some());
    // What has the same name in both is the same.
    for key in ["api_id", "org_id", "config_data"] {
        assert_eq!(classic[key], ours["hooks"][key]);
    }
    for key in ["pre", "post_key_auth", "post", "response"] {
        assert_eq!(classic["custom_middleware"][key], ours["hooks"][key]);
    }
}

#[test]
fn the_proto_of_the_whole_configuration_is_that_of_the_service() {
    let [proto] = blocks(page("getting-started.md"), "proto")[..] else {
        panic!("expected one .proto");
    };
    assert_eq!(greeter().trim_end(), proto.trim_end());
}

#[test]
fn every_block_of_yaml_for_the_module_is_a_configuration() {
    let mut seen = BTreeSet::new();
    // tests/envoy/documentation.rs has what is Envoy's.
    for (path, piece, value) in pieces() {
        let configurations = match piece {
            Piece::Module => vec![value],
            Piece::Kong => {
                let plugins = value["plugins"].as_array().into_iter().flatten();
                let ours = plugins.filter(|plugin| plugin["name"] == "protobridge");
                ours.map(|plugin| plugin["config"].clone()).collect()
            }
            Piece::Envoy | Piece::PartOfEnvoy | Piece::Other => continue,
        };
        for mut configuration in configurations {
            seen.insert(path);
            if let [own] = blocks(&PAGES[path], "proto")[..] {
                configuration["proto"] = json!(own);
            } else if configuration.get("proto").is_none() {
                configuration["protos"] = json!({ "greeter.proto": greeter(), "shop.proto": SHOP });
            }
            if let Err(errors) = Plugin::load(configuration.to_string().as_bytes(), 0) {
                panic!("{}: {errors}\n{configuration:#}", path.display());
            }
        }
    }
    assert!(seen.len() > 3, "{seen:?}");
}

/// What the examples name that isn't in [`greeter`].
const SHOP: &str = r#"
    syntax = "proto3";
    package shop.v1;
    service Books { rpc Create(Book) returns (Book); rpc Delete(Book) returns (Book); rpc Get(Book) returns (Book); }
    message Book { string id = 1; }
"#;

#[test]
fn the_readme_has_the_figures_that_were_measured() {
    let measured = table_rows(page("performance.md"));
    let rows = table_rows(&PAGES[Path::new("README.md")]);
    let mut seen = 0;
    for row in rows
        .iter()
        .filter(|row| row.len() == 4 && row[1].parse::<u32>().is_ok())
    {
        let full = measured
            .iter()
            .find(|full| full[0] == row[0])
            .unwrap_or_else(|| panic!("{row:?}"));
        for at in [1, 2] {
            assert_eq!(format!("{:.0}", full[at].parse::<f64>().unwrap()), row[at], "{row:?}");
        }
        assert_eq!(full[4].trim_matches('*'), row[3], "{row:?}");
        seen += 1;
    }
    assert!(seen > 2);
}

/// The cells of every line of a table on this page.
fn table_rows(page: &str) -> Vec<Vec<String>> {
    let lines = page.lines().map(str::trim).filter(|line| line.starts_with('|'));
    lines.map(cells).collect()
}

/// The cells of this line of a table.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim_matches('|').split('|');
    line.map(|cell| cell.trim().to_owned()).collect()
}

#[test]
fn every_reason_is_among_the_metrics_and_no_other() {
    let page = page("operation.md");
    let row = page
        .lines()
        .find(|line| line.starts_with("| `errors.<reason>` |"))
        .unwrap();
    let (_, meaning) = row.split_once("counter |").unwrap();
    let documented: BTreeSet<_> = meaning.split('`').skip(1).step_by(2).collect();
    assert_eq!(documented, Reason::ALL.map(Reason::name).into_iter().collect());
}

#[test]
fn the_makefile_has_every_target_that_a_page_names() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let mut seen = 0;
    for (path, text) in &*PAGES {
        // In backticks, on a line of commands, or at the prompt.
        let commands = ["`make ", "\n    make ", "\n$ make "].map(|start| text.split(start).skip(1));
        for command in commands.into_iter().flatten() {
            let words = command.split(['`', '\n', '#']).next().unwrap();
            let is_target = |word: &&str| {
                word.chars()
                    .all(|letter| letter.is_ascii_lowercase() || "-.".contains(letter))
            };
            for target in words.split_whitespace().take_while(is_target) {
                let rule = format!("\n{target}:");
                assert!(makefile.contains(&rule), "{}: make {target}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn the_architecture_names_every_part_of_the_source() {
    let page = page("architecture.md");
    let mut parts = vec![PathBuf::from("src")];
    let mut seen = 0;
    while let Some(folder) = parts.pop() {
        for entry in root().join(&folder).read_dir().unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let is_folder = entry.file_type().unwrap().is_dir();
            // What tests and the bundled .proto files are is said of their parents.
            if name == "tests" || name == "bundled" || !is_folder && folder != Path::new("src") {
                continue;
            }
            let path = folder.join(&name);
            let shown = path.strip_prefix("src").unwrap().display();
            let shown = if is_folder {
                format!("`{shown}/`")
            } else {
                format!("`{shown}`")
            };
            assert!(page.contains(&shown), "{shown}");
            seen += 1;
            if is_folder {
                parts.push(path);
            }
        }
    }
    // And it names no other.
    let named = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.ends_with('/') && !text.contains(' '));
    for part in named {
        assert!(
            root().join("src").join(part).is_dir() || root().join(part).is_dir(),
            "{part}"
        );
    }
    assert!(seen > 15, "{seen}");
}

/// The `.proto` of the whole configuration.
fn greeter() -> String {
    let pieces = pieces();
    let [(_, _, whole)] = &pieces
        .iter()
        .filter(|(_, piece, _)| *piece == Piece::Envoy)
        .collect::<Vec<_>>()[..]
    else {
        panic!("expected one whole configuration");
    };
    let manager = &whole["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let filters = manager["http_filters"].as_array().unwrap();
    let ours = filters.iter().find(|filter| filter["name"] == "protobridge").unwrap();
    let configuration = &ours["typed_config"]["config"]["configuration"]["value"];
    configuration["proto"].as_str().unwrap().to_owned()
}

struct Row {
    key: String,
    kind: String,
    default: String,
}

/// The rows of all tables of keys, whatever page they are on.
fn reference() -> Vec<Row> {
    table("| Key | Type | Default | Meaning |")
        .into_iter()
        .map(|cells| {
            let [key, kind, default, _] = <[String; 4]>::try_from(cells).unwrap();
            let key = key.strip_prefix('`').and_then(|key| key.strip_suffix('`'));
            Row {
                key: key.unwrap_or_else(|| panic!("{key:?} is not in backticks")).to_owned(),
                kind,
                default,
            }
        })
        .collect()
}

/// The cells of all tables of all pages with this head.
fn table(head: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut lines = PAGES.values().flat_map(|page| page.lines());
    while lines.by_ref().any(|line| line == head) {
        let body = lines.by_ref().skip(1).take_while(|line| line.starts_with('|'));
        rows.extend(body.map(cells));
    }
    assert!(!rows.is_empty(), "no table under {head}");
    rows
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::TextOrEmpty => "string".to_owned(),
        Kind::Flag => "bool".to_owned(),
        Kind::FlagOrAuto => "`auto`, `true`, `false`".to_owned(),
        Kind::Size => "bytes".to_owned(),
        Kind::Duration => "duration".to_owned(),
        Kind::SuccessStatus => "status".to_owned(),
        Kind::Count => "number".to_owned(),
        Kind::Json => "any JSON".to_owned(),
        Kind::Choice(choices) => format!("`{}`", choices.join("`, `")),
        Kind::Texts => "list of strings".to_owned(),
        Kind::TextMap => "object of strings".to_owned(),
        Kind::Object | Kind::AnyObject | Kind::Hook => "object".to_owned(),
        Kind::Objects | Kind::Hooks => "list of objects".to_owned(),
    }
}

/// A default as the reference writes it: a string that isn't empty goes without quotes.
fn literal(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(Value::String(text)) if !text.is_empty() => format!("`{text}`"),
        _ => format!("`{json}`"),
    }
}

/// The path without `.` and `..`.
fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(normal.pop(), "{} is outside", path.display()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// What links can lead to on a page.
fn anchors(page: &str) -> BTreeSet<String> {
    // Every other part is a block of code, in which a line may begin as a heading does.
    let prose = page.split("```").step_by(2);
    let headings = prose.flat_map(str::lines).filter(|line| line.starts_with('#'));
    let headings = headings.filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let named = page.split("<a name=\"").skip(1);
    let named = named.map(|rest| rest.split('"').next().unwrap().to_owned());
    headings.map(anchor).chain(named).collect()
}

/// GitHub's name for a heading.
fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| {
            if letter == ' ' {
                '-'
            } else {
                letter.to_ascii_lowercase()
            }
        })
        .collect()
}
