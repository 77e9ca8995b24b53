//! The text of a random service: methods with HTTP rules.

use std::fmt::Write as _;

use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use crate::differential::random_schema::Random;
use crate::differential::schema::{entered, is_leaf};

/// The message that has a field of each kind for paths and queries, and every form of what a body can be.
pub const CALL: &str = "message Call { ?string name = 1; ?int32 count = 2; ?int64 some_size = 3; ?uint32 page = 4; \
    ?uint64 big = 5; ?sint32 delta = 6; ?fixed64 mark = 7; ?bool flag = 8; ?double ratio = 9; ?float part = 10; \
    ?bytes token = 11; ?E0 mode = 12; optional string nick_name = 13; optional int32 maybe = 14; \
    ?string title = 15 [json_name = \"heading\"]; ?google.protobuf.Timestamp at = 16; \
    ?google.protobuf.Duration ttl = 17; ?google.protobuf.FieldMask update_mask = 18; \
    ?google.protobuf.Int64Value limit = 19; ?google.protobuf.StringValue note = 20; \
    ?google.protobuf.BoolValue sure = 21; ?google.protobuf.BytesValue blob = 22; ?Call child = 23; ?M0 m0 = 24; \
    repeated string tags = 25; repeated int64 numbers = 26; repeated E0 modes = 27; map<string, string> labels = 28; \
    map<int32, Call> calls = 29; repeated Call children = 30; ?google.api.HttpBody raw = 31; \
    ?google.protobuf.Struct extra = 32; ?google.protobuf.Value value = 33; ?google.protobuf.Any any = 34; \
    oneof choice { string left = 35; int32 right = 36; M0 both = 37; Call within_it = 41; } \
    ?google.protobuf.DoubleValue factor = 38; repeated google.protobuf.Timestamp times = 39; \
    ?google.protobuf.ListValue list = 40; repeated fixed64 marks = 42 [packed = false]; } ";

/// Methods that every schema has, for what random rules seldom have.
const CORNERS: &str = "rpc Change(Call) returns (Call) { option (google.api.http) = { \
    patch: \"/corner/change/{name}\" body: \"child\" \
    additional_bindings { patch: \"/corner/limit\" body: \"limit\" } }; } \
    rpc Within(Call) returns (google.api.HttpBody) { option (google.api.http) = { \
    post: \"/corner/within/{within_it.name}\" body: \"*\" }; } \
    rpc Download(Call) returns (stream google.api.HttpBody) { option (google.api.http) = { \
    get: \"/corner/download\" }; } \
    rpc Picture(Call) returns (Call) { option (google.api.http) = { \
    get: \"/corner/picture\" response_body: \"raw\" }; } \
    rpc Colon(Call) returns (Call) { option (google.api.http) = { get: \"/corner/colon/{name}\" \
    additional_bindings { get: \"/corner/verb:archive\" } }; } ";

/// The types of methods beside `Call` and `M0`.
const OTHER_TYPES: [&str; 9] = [
    "google.api.HttpBody",
    "google.protobuf.Empty",
    "google.protobuf.Struct",
    "google.protobuf.Value",
    "google.protobuf.ListValue",
    "google.protobuf.StringValue",
    "google.protobuf.Timestamp",
    "google.protobuf.Any",
    "google.protobuf.Int64Value",
];

/// The verbs of templates.
pub const VERBS: [&str; 2] = ["archive", "undo"];

/// Writes the service.
pub struct Rules<'r> {
    pool: DescriptorPool,
    random: &'r mut Random,
    /// HTTP method, template without variables, and verb of each rule of overlapping templates.
    taken: Vec<(String, String)>,
}

impl<'r> Rules<'r> {
    /// Rules for methods of the messages in `pool`.
    pub fn new(pool: DescriptorPool, random: &'r mut Random) -> Self {
        Self {
            pool,
            random,
            taken: Vec::new(),
        }
    }

    /// The service.
    pub fn service(&mut self) -> String {
        let mut text = "service Service { ".to_owned();
        for number in 0..14 {
            let input = self.type_name();
            let output = self.type_name();
            let request_stream = self.random.one_in(14) && input != "google.api.HttpBody";
            let answer_stream = self.random.one_in(4);
            let stream = |is| if is { "stream " } else { "" };
            let (into, out_of) = (stream(request_stream), stream(answer_stream));
            write!(text, "rpc Do{number}({into}{input}) returns ({out_of}{output})").unwrap();
            let input = self.message(&input);
            let output = self.message(&output);
            let count = if number == 0 { 0 } else { 1 + self.random.below(3) };
            let mut rules: Vec<String> = Vec::new();
            for rule in 0..count {
                rules.push(self.rule(&format!("m{number}r{rule}"), &input, &output, request_stream));
            }
            // What one rule takes or gives as raw bytes Envoy does so by all rules of the method: such a rule is alone.
            if let Some(raw) = rules.iter().position(|rule| rule.contains("body: \"raw\"")) {
                rules = vec![rules.swap_remove(raw)];
            } else if input.name() == "Call" && !request_stream {
                // Overlapping templates are of methods whose input has a `name`.
                for _ in 0..3 {
                    rules.extend(self.overlapping());
                }
            }
            match rules.split_first() {
                None => text.push_str("; "),
                Some((first, more)) => {
                    let more: Vec<_> = more
                        .iter()
                        .map(|rule| format!("additional_bindings {{ {rule} }}"))
                        .collect();
                    write!(
                        text,
                        " {{ option (google.api.http) = {{ {first} {} }}; }} ",
                        more.join(" ")
                    )
                    .unwrap();
                }
            }
        }
        text.push_str(CORNERS);
        text.push('}');
        text
    }

    fn type_name(&mut self) -> String {
        match self.random.below(10) {
            0..3 => self.random.pick(&OTHER_TYPES).to_owned(),
            3 | 4 => "r.M0".to_owned(),
            _ => "r.Call".to_owned(),
        }
    }

    fn message(&self, name: &str) -> MessageDescriptor {
        self.pool.get_message_by_name(name).unwrap()
    }

    /// A rule whose templates no other rule's overlap.
    fn rule(&mut self, prefix: &str, input: &MessageDescriptor, output: &MessageDescriptor, stream: bool) -> String {
        let mut template = format!("/{prefix}");
        let mut bindable = bindable(input);
        let mut bound: Vec<FieldDescriptor> = Vec::new();
        let parts = self.random.below(4);
        for part in 0..parts {
            let last = part + 1 == parts;
            let variable = (!bindable.is_empty()).then(|| bindable.swap_remove(self.random.below(bindable.len())));
            let variable = variable.filter(|fields| bound.iter().all(|other| !excludes(other, &fields[0])));
            match (variable, self.random.below(8)) {
                (Some(fields), kind @ 0..6) => {
                    let path: Vec<_> = fields.iter().map(FieldDescriptor::name).collect();
                    let path = path.join(".");
                    // What is captured of several segments has slashes in it.
                    let is_string = fields[fields.len() - 1].kind() == Kind::String;
                    let inner = match kind {
                        3 if is_string => "=shelves/*",
                        4 if is_string => "=shelves/*/books/*",
                        5 if is_string && last => "=**",
                        2 if is_string && last => "=shelves/**",
                        1 => "=*",
                        _ => "",
                    };
                    write!(template, "/{{{path}{inner}}}").unwrap();
                    bound.push(fields[0].clone());
                }
                (_, 6) => template.push_str("/*"),
                _ => template.push_str(self.random.pick(&["/books", "/x-y.z", "/_"])),
            }
        }
        if self.random.one_in(4) {
            write!(template, ":{}", self.random.pick(&VERBS)).unwrap();
        }
        let kind = match self.random.below(12) {
            0 | 1 => "get",
            2 => "delete",
            3 => "put",
            4..7 => "patch",
            7 => "REPORT",
            8 => "*",
            _ => "post",
        };
        let body = match self.random.below(8) {
            _ if stream => " body: \"*\"".to_owned(),
            _ if matches!(kind, "get" | "delete") => String::new(),
            0 => String::new(),
            1..=3 => {
                let fields: Vec<_> = input
                    .fields()
                    .filter(|_| input.package_name() == "r")
                    .filter(|field| bound.iter().all(|other| other != field && !excludes(other, field)))
                    .collect();
                match fields.is_empty() {
                    true => String::new(),
                    false => format!(" body: \"{}\"", fields[self.random.below(fields.len())].name()),
                }
            }
            _ => " body: \"*\"".to_owned(),
        };
        // Nor are fields of well-known types printed as such by Envoy's, which is asked for the whole message.
        let fields: Vec<_> = output.fields().filter(|_| output.package_name() == "r").collect();
        let response_body = match self.random.below(12) {
            0 if !fields.is_empty() => {
                format!(" response_body: \"{}\"", fields[self.random.below(fields.len())].name())
            }
            _ => String::new(),
        };
        format!("{}{body}{response_body}", pattern(kind, &template))
    }

    /// A rule with a template of the few that many methods share.
    fn overlapping(&mut self) -> Option<String> {
        let mut segments = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            segments.push(self.random.pick(&["a", "b", "a", "*"]));
        }
        if self.random.one_in(4) {
            segments.push("**");
        }
        let kind = self.random.pick(&["get", "get", "put", "*"]);
        let key = (kind.to_owned(), segments.join("/"));
        if self.taken.contains(&key) {
            return None;
        }
        self.taken.push(key);
        let at = self.random.below(segments.len());
        let template = match self.random.below(4) {
            0 => segments.join("/"),
            1 => format!("{{name={}}}", segments.join("/")),
            _ => {
                let variable = format!("{{name={}}}", segments[at]);
                [&segments[..at], &[&*variable], &segments[at + 1..]].concat().join("/")
            }
        };
        Some(pattern(kind, &format!("/shared/{template}")))
    }
}

/// The `pattern` of a rule.
fn pattern(kind: &str, template: &str) -> String {
    match kind {
        "REPORT" | "*" => format!("custom {{ kind: \"{kind}\" path: \"{template}\" }}"),
        _ => format!("{kind}: \"{template}\""),
    }
}

/// Whether both can't be bound in one request.
fn excludes(one: &FieldDescriptor, other: &FieldDescriptor) -> bool {
    one == other || one.containing_oneof().is_some() && one.containing_oneof() == other.containing_oneof()
}

/// The field paths that a path may bind, two deep; none in groups, where Envoy binds nothing.
fn bindable(message: &MessageDescriptor) -> Vec<Vec<FieldDescriptor>> {
    let mut paths = Vec::new();
    // Well-known types are values without fields in JSON, and an `HttpBody` is its bytes.
    if message.package_name() != "r" {
        return paths;
    }
    for field in message
        .fields()
        .filter(|field| field.cardinality() != Cardinality::Repeated)
    {
        if is_leaf(&field) {
            paths.push(vec![field]);
        } else if let Some(below) = entered(&field).filter(|_| !field.is_group()) {
            let leaves = below
                .fields()
                .filter(|leaf| leaf.cardinality() != Cardinality::Repeated && is_leaf(leaf));
            paths.extend(leaves.map(|leaf| vec![field.clone(), leaf]));
        }
    }
    paths
}
