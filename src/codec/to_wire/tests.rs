//! JSON to wire, by tables of cases; what the bytes say is printed by prost-reflect.

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

use super::*;
use crate::schema::tables::Features;

/// Compiles `.proto` texts, each with its import path. Only `google/protobuf` may be imported beside them.
pub(in crate::codec) fn compile(files: &[(&str, &str)]) -> (DescriptorPool, Tables) {
    let mut resolver = protox::file::ChainFileResolver::new();
    resolver.add(protox::file::GoogleFileResolver::new());
    for (name, text) in files {
        let file = protox::file::File::from_source(name, text).unwrap();
        resolver.add(Given(file));
    }
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    for (name, _) in files {
        compiler.open_file(name).unwrap();
    }
    // The compiler's own pool loses `[packed]`; the encoded set has it.
    let pool = DescriptorPool::decode(&compiler.encode_file_descriptor_set()[..]).unwrap();
    let tables = Tables::build(&pool, &Features::default(), 0x5eed);
    (pool, tables)
}

struct Given(protox::file::File);

impl protox::file::FileResolver for Given {
    fn open_file(&self, name: &str) -> std::result::Result<protox::file::File, protox::Error> {
        if self.0.name() == name {
            Ok(self.0.clone())
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

/// What a message's bytes say, in ProtoJSON.
pub(in crate::codec) fn decode(pool: &DescriptorPool, message: &str, wire: &[u8]) -> String {
    let descriptor = pool.get_message_by_name(message).unwrap();
    let message = DynamicMessage::decode(descriptor, wire).unwrap();
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut json);
    message
        .serialize_with_options(&mut serializer, &SerializeOptions::new())
        .unwrap();
    String::from_utf8(json).unwrap()
}
