//! README.md and docs/ say what the code does, where that can be compared, and link to what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use protobridge::config::Plugin;
use protobridge::config::keys::{KEYS, Kind};
use protobridge::grpc::Code;
use serde_json::{Value, json};

/// Every Markdown page of the repository, by its path in there.
static PAGES: LazyLock<BTreeMap<PathBuf, String>> = LazyLock::new(|| {
    let mut pages = BTreeMap::new();
    collect(Path::new(""), &mut pages);
    pages
});

/// Reads the pages in this folder and those below it, but for what is hidden or generated.
fn collect(folder: &Path, pages: &mut BTreeMap<PathBuf, String>) {
    for entry in root().join(folder).read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let path = folder.join(&name);
        if entry.file_type().unwrap().is_dir() {
            let name = name.to_string_lossy();
            if !name.starts_with('.') && !["target", "node_modules"].contains(&&*name) {
                collect(&path, pages);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.insert(path, std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page of `docs/`.
fn page(name: &str) -> &'static str {
    &PAGES[&Path::new("docs").join(name)]
}

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
    let configuration = json!({ "proto": greeter(), "upstream": { "timeout": "15s" } });
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
    let blocks = page("from-tyk.md").split("```json\n").skip(1);
    let blocks = blocks.map(|block| serde_json::from_str::<Value>(block.split("```").next().unwrap()).unwrap());
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

/// The `.proto` of the whole configuration.
fn greeter() -> &'static str {
    let page = page("getting-started.md");
    let start = page.find("syntax = \"proto3\";").unwrap();
    let end = start + page[start..].find("- name: envoy.filters.http.router").unwrap();
    &page[start..end]
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
        rows.extend(body.map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
        }));
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
