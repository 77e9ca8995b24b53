//! Random rules on random messages of random schemas, beside a plain implementation over prost-reflect's dynamic messages:
//! decode, change, encode.

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind as Reflected, MapKey, MessageDescriptor, ReflectMessage, SerializeOptions,
    Value,
};
use serde_json::{Value as Json, json};

use crate::codec::ParseOptions;
use crate::codec::random_messages::Generator;
use crate::codec::random_schema::{MESSAGES_PER_SCHEMA, ROOT, Random, redacted_proto, rounds};
use crate::codec::single_records::records;
use crate::http::headers::Headers;
use crate::routing::Methods;
use crate::schema::tables::Tables;
use crate::schema::{Schema, Source as Given};
use crate::transform::{Active, Entry, Memory, Operation, PathText, Schema as Compiled, Source, Transforms};

/// How many messages are changed by one set of rules.
const MESSAGES_PER_RULES: u64 = 5;

#[test]
fn random_rules_do_to_random_messages_what_they_do_to_dynamic_messages() {
    let (mut messages, mut changed) = (0, 0);
    for seed in 0..rounds().div_ceil(MESSAGES_PER_SCHEMA) {
        let text = redacted_proto(seed) + "service S { rpc Do(M0) returns (M0); }";
        let files = [("r.proto".to_owned(), text.clone())];
        let schema = Schema::compile(Given::Protos(&files), 1 << 20).unwrap_or_else(|error| panic!("{error}: {text}"));
        let tables = Tables::build(schema.pool(), schema.features(), 7);
        if schema.pool().get_message_by_name(ROOT).unwrap().fields().len() == 0 {
            continue;
        }
        for rules in 0..MESSAGES_PER_SCHEMA / MESSAGES_PER_RULES {
            let seed = seed * MESSAGES_PER_SCHEMA + rules * MESSAGES_PER_RULES;
            // There are rules that can't be compiled, such as that a required field be removed.
            let rules = (0..20).find_map(|attempt| Rules::random(&schema, &tables, seed << 8 | attempt));
            let Some(mut rules) = rules else { continue };
            for message in 0..MESSAGES_PER_RULES {
                messages += 1;
                changed += u64::from(rules.compare(&tables, &format!("seed {seed}, message {message} of {text}")));
            }
        }
    }
    // Most of them say something.
    assert!(
        messages * 10 > rounds() * 8 && changed * 3 > messages,
        "{changed} of {messages}"
    );
}

/// Operations in both forms, and what writes messages for them.
struct Rules<'s> {
    writer: Writer<'s>,
    operations: Vec<Operation>,
    rules: Vec<Rule>,
    active: Option<Active>,
    memory: Memory,
}

impl<'s> Rules<'s> {
    fn random(schema: &Schema, tables: &'s Tables, seed: u64) -> Option<Self> {
        let mut writer = Writer {
            root: schema.pool().get_message_by_name(ROOT).unwrap(),
            generator: Generator {
                tables,
                root: ROOT,
                odd: true,
                random: Random(seed),
            },
            headers: Headers::default(),
        };
        let (operations, rules): (Vec<_>, Vec<_>) = (0..1 + writer.below(4)).map(|_| writer.operation()).unzip();
        let entry = Entry {
            key: "transforms[0]".to_owned(),
            selector: None,
            when: None,
            request: operations.clone(),
            response: Vec::new(),
        };
        let against = Compiled {
            tables,
            pool: schema.pool(),
            left_out: None,
        };
        let methods = Methods::of(schema.services().to_vec(), &[], true);
        let transforms = Transforms::compile(&[entry], &against, &methods, &ParseOptions::default(), 1 << 24).ok()?;
        let method = transforms.by_method.first().and_then(Option::as_ref);
        let active = method.map(|method| method.activate(tables, &writer.headers, &mut |_| None));
        Some(Self {
            active: active
                .transpose()
                .unwrap_or_else(|error| panic!("{error}: {operations:?}")),
            writer,
            operations,
            rules,
            memory: Memory::default(),
        })
    }

    /// Compares what becomes of a random message: whether it is another one.
    fn compare(&mut self, tables: &Tables, what: &str) -> bool {
        let index = tables.message_index(ROOT).unwrap();
        let wire = self.writer.generator.message(index, 0);
        let mut out = Vec::new();
        match &self.active {
            Some(active) => active.request(tables, &wire, &mut self.memory, &mut out).unwrap(),
            None => out.clone_from(&wire),
        }
        let decode = |wire: &[u8]| DynamicMessage::decode(self.writer.root.clone(), wire).unwrap();
        let (given, found) = (decode(&wire), decode(&out));
        let expected = self
            .rules
            .iter()
            .fold(given.clone(), |message, rule| rule.apply(message));
        assert!(
            is_same(&found, &expected),
            "{what}\n{:#?}\n{wire:x?}\n{out:x?}\n{given}\n{found}\n{expected}",
            self.operations
        );
        if let [
            Rule {
                path,
                what: What::Set(Some(_)),
            },
        ] = &self.rules[..]
        {
            // In the elements of lists and maps it is set in each piece.
            if path.iter().all(|field| !field.is_list() && !field.is_map()) {
                assert_single(path, &out);
            }
        }
        !is_same(&found, &given)
    }
}

/// Panics where a message on the way to what is set, or the field itself, comes more than once.
fn assert_single(path: &[FieldDescriptor], wire: &[u8]) {
    let Some((field, rest)) = path.split_first() else {
        return;
    };
    let of_field = records(wire)
        .into_iter()
        .filter(|(number, _)| *number == field.number());
    let records: Vec<_> = of_field.map(|(_, contents)| contents).collect();
    assert!(records.len() <= 1, "{} in {wire:x?}", field.full_name());
    if let [contents] = records[..] {
        assert_single(rest, contents);
    }
}

/// An operation on dynamic messages; of `keep`, without a path.
struct Rule {
    path: Vec<FieldDescriptor>,
    what: What,
}

enum What {
    Remove(Vec<Vec<FieldDescriptor>>),
    Keep(Vec<Vec<FieldDescriptor>>),
    Mask(usize),
    Set(Option<Value>),
    Default(Value),
    RemoveRedacted,
}

impl Rule {
    fn apply(&self, mut message: DynamicMessage) -> DynamicMessage {
        match &self.what {
            What::Remove(paths) => {
                for path in paths {
                    walk(&mut message, path, Made::Never, &mut |message, field| {
                        message.clear_field(field)
                    });
                }
            }
            What::Keep(paths) => {
                let paths: Vec<&[_]> = paths.iter().map(Vec::as_slice).collect();
                return keep(message, &paths);
            }
            What::Mask(keep_last) => walk(&mut message, &self.path, Made::Never, &mut |message, field| {
                mask(message, field, *keep_last);
            }),
            What::Set(value) => {
                let made = if value.is_some() { Made::Always } else { Made::Never };
                walk(&mut message, &self.path, made, &mut |message, field| match value {
                    Some(value) => message.set_field(field, value.clone()),
                    None => message.clear_field(field),
                });
            }
            What::Default(value) => walk(&mut message, &self.path, Made::WhereFree, &mut |message, field| {
                if !message.has_field(field) && is_free(message, field) {
                    message.set_field(field, value.clone());
                }
            }),
            What::RemoveRedacted => {
                if !remove_redacted(&mut message) {
                    message = DynamicMessage::new(message.descriptor());
                }
            }
        }
        message
    }
}

/// Which messages on the way are made.
#[derive(Clone, Copy, PartialEq)]
enum Made {
    Never,
    Always,
    /// Where no other member of their oneof is there.
    WhereFree,
}

/// Whether no member of the field's oneof is there.
fn is_free(message: &DynamicMessage, field: &FieldDescriptor) -> bool {
    field
        .containing_oneof()
        .is_none_or(|oneof| oneof.fields().all(|member| !message.has_field(&member)))
}

fn walk(
    message: &mut DynamicMessage,
    path: &[FieldDescriptor],
    made: Made,
    leaf: &mut dyn FnMut(&mut DynamicMessage, &FieldDescriptor),
) {
    let (field, rest) = path.split_first().unwrap();
    if rest.is_empty() {
        return leaf(message, field);
    }
    let goes_on = |rest: &[FieldDescriptor]| rest.iter().all(|field| !field.is_list() && !field.is_map());
    let is_made = match made {
        Made::Never => false,
        Made::Always => goes_on(rest),
        Made::WhereFree => goes_on(rest) && is_free(message, field),
    };
    let singular = !field.is_list() && !field.is_map();
    if !message.has_field(field) && !(singular && is_made) {
        return;
    }
    match message.get_field_mut(field) {
        Value::Message(below) => walk(below, rest, made, leaf),
        Value::List(elements) => {
            for element in elements {
                walk(element.as_message_mut().unwrap(), rest, made, leaf);
            }
        }
        Value::Map(entries) => {
            for value in entries.values_mut() {
                walk(value.as_message_mut().unwrap(), rest, made, leaf);
            }
        }
        other => panic!("{other:?}"),
    }
}

fn mask(message: &mut DynamicMessage, field: &FieldDescriptor, keep_last: usize) {
    let hide = |value: &mut Value| match value {
        Value::String(text) => {
            let count = text.chars().count();
            let kept: String = text.chars().skip(count.saturating_sub(keep_last)).collect();
            *text = format!("***{}", if count > keep_last { kept } else { String::new() });
            true
        }
        Value::Bytes(bytes) => {
            let kept = if bytes.len() > keep_last {
                &bytes[bytes.len() - keep_last..]
            } else {
                &[]
            };
            *bytes = [b"***", kept].concat().into();
            true
        }
        _ => false,
    };
    if !message.has_field(field) {
        return;
    }
    let masked = match message.get_field_mut(field) {
        Value::List(elements) => elements.iter_mut().all(hide),
        Value::Map(entries) => entries.values_mut().all(hide),
        value => hide(value),
    };
    if !masked {
        message.clear_field(field);
    }
}

fn keep(mut message: DynamicMessage, paths: &[&[FieldDescriptor]]) -> DynamicMessage {
    let mut kept = DynamicMessage::new(message.descriptor());
    let fields: Vec<_> = message.take_fields().collect();
    for (field, mut value) in fields {
        let through: Vec<&[_]> = paths
            .iter()
            .filter(|path| path[0] == field)
            .map(|path| &path[1..])
            .collect();
        if through.is_empty() {
            continue;
        }
        if through.iter().all(|rest| !rest.is_empty()) {
            let below = |value: &mut Value| {
                let message = value.as_message_mut().unwrap();
                let empty = DynamicMessage::new(message.descriptor());
                *message = keep(std::mem::replace(message, empty), &through);
            };
            match &mut value {
                Value::List(elements) => elements.iter_mut().for_each(below),
                Value::Map(entries) => entries.values_mut().for_each(below),
                value => below(value),
            }
        }
        kept.set_field(&field, value);
    }
    kept
}

fn is_any(message: &DynamicMessage) -> bool {
    message.descriptor().full_name() == "google.protobuf.Any"
}

/// The message in an Any, if its type is known.
fn contents(any: &DynamicMessage) -> Option<(MessageDescriptor, Vec<u8>)> {
    let url = any.get_field_by_name("type_url").unwrap();
    let (_, name) = url.as_str().unwrap().rsplit_once('/')?;
    let descriptor = any.descriptor().parent_pool().get_message_by_name(name)?;
    let value = any.get_field_by_name("value").unwrap().as_bytes().unwrap().to_vec();
    Some((descriptor, value))
}

/// `false`: the message must go.
fn remove_redacted(message: &mut DynamicMessage) -> bool {
    if is_any(message) {
        let is_empty = !message.has_field_by_name("type_url") && !message.has_field_by_name("value");
        let Some((descriptor, value)) = contents(message) else {
            return is_empty;
        };
        let Ok(mut inner) = DynamicMessage::decode(descriptor.clone(), &value[..]) else {
            return false;
        };
        if !remove_redacted(&mut inner) {
            inner = DynamicMessage::new(descriptor);
        }
        message.set_field_by_name(
            "value",
            Value::Bytes(prost_reflect::prost::Message::encode_to_vec(&inner).into()),
        );
        return true;
    }
    let fields: Vec<_> = message.fields().map(|(field, _)| field).collect();
    for field in fields {
        let redacted = field
            .options()
            .get_field_by_name("debug_redact")
            .unwrap()
            .as_bool()
            .unwrap();
        if redacted
            || !remove_within(message.get_field_mut(&field))
                && field.cardinality() != prost_reflect::Cardinality::Required
        {
            message.clear_field(&field);
        }
    }
    let extensions: Vec<_> = message.extensions().map(|(extension, _)| extension).collect();
    for extension in extensions {
        let redacted = extension
            .options()
            .get_field_by_name("debug_redact")
            .unwrap()
            .as_bool()
            .unwrap();
        if redacted || !remove_within(message.get_extension_mut(&extension)) {
            message.clear_extension(&extension);
        }
    }
    true
}

/// `false`: the field must go.
fn remove_within(value: &mut Value) -> bool {
    let stays = |value: &mut Value| value.as_message_mut().is_none_or(remove_redacted);
    match value {
        Value::List(elements) => elements.retain_mut(stays),
        Value::Map(entries) => entries.retain(|_, value| stays(value)),
        // A required Any is cleared.
        Value::Message(message) => {
            let stays = remove_redacted(message);
            if !stays {
                *message = DynamicMessage::new(message.descriptor());
            }
            return stays;
        }
        _ => {}
    }
    true
}

/// Equality of what messages say, where floats are equal by their bits, and an Any by what is in it.
fn is_same(left: &DynamicMessage, right: &DynamicMessage) -> bool {
    if is_any(left)
        && let (Some((left_type, left)), Some((right_type, right))) = (contents(left), contents(right))
    {
        let decode = |descriptor: &MessageDescriptor, value: &[u8]| DynamicMessage::decode(descriptor.clone(), value);
        return left_type == right_type
            && match (decode(&left_type, &left), decode(&right_type, &right)) {
                (Ok(left), Ok(right)) => is_same(&left, &right),
                _ => left == right,
            };
    }
    let fields = |message: &DynamicMessage| -> Vec<(u32, Value)> {
        let fields = message.fields().map(|(field, value)| (field.number(), value.clone()));
        let extensions = message
            .extensions()
            .map(|(field, value)| (field.number(), value.clone()));
        fields.chain(extensions).collect()
    };
    let (left_fields, right_fields) = (fields(left), fields(right));
    let unknown = |message: &DynamicMessage| -> Vec<String> {
        let mut unknown: Vec<_> = message.unknown_fields().map(|field| format!("{field:?}")).collect();
        unknown.sort();
        unknown
    };
    left_fields.len() == right_fields.len()
        && unknown(left) == unknown(right)
        && (left_fields.iter().zip(&right_fields))
            .all(|((left, one), (right, other))| left == right && is_same_value(one, other))
}

fn is_same_value(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::F32(left), Value::F32(right)) => left.to_bits() == right.to_bits(),
        (Value::F64(left), Value::F64(right)) => left.to_bits() == right.to_bits(),
        (Value::Message(left), Value::Message(right)) => is_same(left, right),
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same_value(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            let other = |key: &MapKey| right.get(key);
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| other(key).is_some_and(|right| is_same_value(left, right)))
        }
        _ => left == right,
    }
}

/// Writes rules for the messages of a generator.
struct Writer<'s> {
    root: MessageDescriptor,
    generator: Generator<'s>,
    headers: Headers,
}

impl Writer<'_> {
    fn below(&mut self, limit: usize) -> usize {
        self.generator.random.below(limit)
    }

    fn operation(&mut self) -> (Operation, Rule) {
        let rule = |path, what| Rule { path, what };
        match self.below(8) {
            0 | 1 => {
                let paths: Vec<_> = (0..1 + self.below(4)).map(|_| self.path()).collect();
                (Operation::Remove(texts(&paths)), rule(Vec::new(), What::Remove(paths)))
            }
            2 => {
                let paths: Vec<_> = (0..1 + self.below(8)).map(|_| self.path()).collect();
                (Operation::Keep(texts(&paths)), rule(Vec::new(), What::Keep(paths)))
            }
            3 => {
                let (path, keep_last) = (self.path(), self.below(4));
                let field = text(&path);
                (Operation::Mask { field, keep_last }, rule(path, What::Mask(keep_last)))
            }
            4 => {
                let operation = Operation::RemoveAnnotated {
                    key: String::new(),
                    option: "debug_redact".to_owned(),
                };
                (operation, rule(Vec::new(), What::RemoveRedacted))
            }
            5 => {
                let path = self.singular();
                let (value, json) = self.value(path.last().unwrap());
                (
                    Operation::Default {
                        field: text(&path),
                        value: json,
                    },
                    rule(path, What::Default(value)),
                )
            }
            _ => {
                let path = self.singular();
                let (value, json) = self.value(path.last().unwrap());
                let name = format!("x-{}", self.headers.len());
                let plain = match &json {
                    Json::String(text) if !text.is_empty() => Some(text.clone()),
                    Json::Number(number) => Some(number.to_string()),
                    Json::Bool(flag) => Some(flag.to_string()),
                    _ => None,
                };
                let (source, value) = match (self.below(4), plain) {
                    (0, _) => (Source::Header("x-absent".into()), None),
                    (1, Some(text)) => {
                        self.headers.push(name.as_bytes(), text.as_bytes());
                        (Source::Header(name.into()), Some(value))
                    }
                    _ => (Source::Value(json), Some(value)),
                };
                let operation = Operation::Set {
                    field: text(&path),
                    source,
                    required: false,
                };
                (operation, rule(path, What::Set(value)))
            }
        }
    }

    /// A path that the root has.
    fn path(&mut self) -> Vec<FieldDescriptor> {
        let mut message = self.root.clone();
        let mut path = Vec::new();
        loop {
            let fields: Vec<_> = message.fields().collect();
            if fields.is_empty() {
                // A message without fields has no paths: those of the one before end here.
                break;
            }
            let field = fields[self.below(fields.len())].clone();
            path.push(field.clone());
            let value = match field.kind() {
                Reflected::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
                kind => kind,
            };
            match value {
                Reflected::Message(below) if goes_below(&below) && path.len() < 5 && self.below(4) > 0 => {
                    message = below
                }
                _ => break,
            }
        }
        path
    }

    /// A path that ends with a singular field, if one is found.
    fn singular(&mut self) -> Vec<FieldDescriptor> {
        let is_singular =
            |path: &Vec<FieldDescriptor>| path.last().is_some_and(|last| !last.is_list() && !last.is_map());
        let mut paths = (0..20).map(|_| self.path());
        paths.find(is_singular).unwrap_or_else(|| self.path())
    }

    /// A random value of a field, and its JSON.
    fn value(&mut self, field: &FieldDescriptor) -> (Value, Json) {
        let tables = self.generator.tables;
        let message = field.parent_message();
        let table = tables.message(tables.message_index(message.full_name()).unwrap());
        let entry = table.field(table.field_by_number(field.number()).unwrap()).unwrap();
        self.generator.odd = false;
        let record = self.generator.record(entry, 3);
        self.generator.odd = true;
        let message = DynamicMessage::decode(message.clone(), &record[..]).unwrap();
        let options = SerializeOptions::new()
            .skip_default_fields(false)
            .use_proto_field_name(true);
        let printed = message.serialize_with_options(serde_json::value::Serializer, &options);
        let json = printed.ok().and_then(|json| json.get(field.name()).cloned());
        // Only what JSON says of it is the value.
        let read = json.and_then(|json| {
            let whole = json!({ field.name(): json });
            let read = DynamicMessage::deserialize(field.parent_message().clone(), whole).ok()?;
            Some((read.get_field(field).into_owned(), json))
        });
        // There are no rules with what has no JSON form.
        read.unwrap_or_else(|| (Value::default_value_for_field(field), json!([[]])))
    }
}

/// Whether paths go below a message of this type.
fn goes_below(message: &MessageDescriptor) -> bool {
    let name = message.full_name().strip_prefix("google.protobuf.").unwrap_or_default();
    !["Any", "Struct", "Value", "ListValue"].contains(&name)
}

fn text(path: &[FieldDescriptor]) -> PathText {
    PathText {
        key: String::new(),
        text: path.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join("."),
    }
}

fn texts(paths: &[Vec<FieldDescriptor>]) -> Vec<PathText> {
    paths.iter().map(|path| text(path)).collect()
}
