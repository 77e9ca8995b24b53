//! The exports of a module, rewritten.

use std::collections::BTreeMap;
use std::ops::Range;

use wasm_encoder::{ExportSection, Section as _};
use wasmparser::{Export, ExternalKind, Parser, Payload, Result as Parsed};

/// How the name of a callback of the module's own begins. What follows is as in the ABI's name.
const OWN: &str = "protobridge_on_";
const ABI: &str = "proxy_on_";

/// The module with each function that it exports as `protobridge_on_…` exported as `proxy_on_…`, in place of what was, and
/// no longer under its own name. All else stays byte for byte.
///
/// # Errors
///
/// When it is no module, when it exports no such function, as after the first time, or one without its `proxy_on_…`.
pub fn link(module: &[u8]) -> Result<Vec<u8>, String> {
    if !Parser::is_core_wasm(module) {
        return Err("this is no WebAssembly module".to_owned());
    }
    let (exports, place) = export_section(module).map_err(|error| format!("this is no WebAssembly module: {error}"))?;
    let mut linked = module[..place.start].to_vec();
    rewritten(&exports)?.append_to(&mut linked);
    linked.extend(&module[place.end..]);
    Ok(linked)
}

/// The exports, and where their section is, from its id to its end.
fn export_section(module: &[u8]) -> Parsed<(Vec<Export<'_>>, Range<usize>)> {
    let mut exports = Vec::new();
    let mut place = 0..0;
    let mut end = 0;
    // To the end of the file, also behind the exports: a module that is cut short is none.
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let section = match &payload {
            Payload::Version { range, .. } => Some(range.clone()),
            _ => payload.as_section().map(|(_, contents)| contents),
        };
        let Some(section) = section else { continue };
        let begin = std::mem::replace(&mut end, section.end as usize);
        if let Payload::ExportSection(section) = payload {
            exports = section.into_iter().collect::<Parsed<_>>()?;
            place = begin..end;
        }
    }
    Ok((exports, place))
}

/// The new section: in the old order, without the module's own names.
fn rewritten(exports: &[Export<'_>]) -> Result<ExportSection, String> {
    let mut own = BTreeMap::new();
    for export in exports {
        if let Some(callback) = export.name.strip_prefix(OWN) {
            if export.kind != ExternalKind::Func {
                return Err(format!("{} is no function", export.name));
            }
            own.insert(callback, export.index);
        }
    }
    if own.is_empty() {
        return Err(format!("no export {OWN}… in it; it may be rewritten already"));
    }
    let mut section = ExportSection::new();
    for export in exports.iter().filter(|export| !export.name.starts_with(OWN)) {
        let replaced = match (export.name.strip_prefix(ABI), export.kind) {
            (Some(callback), ExternalKind::Func) => own.remove(callback),
            _ => None,
        };
        section.export(export.name, export.kind.into(), replaced.unwrap_or(export.index));
    }
    match own.keys().next() {
        Some(callback) => Err(format!("{OWN}{callback} has no {ABI}{callback} to take the place of")),
        None => Ok(section),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use wasmparser::Validator;

    /// A module with functions of index 0 to 3, a memory, and these exports. It has sections in front of the exports and
    /// behind them.
    fn module(exports: &str) -> Vec<u8> {
        wat::parse_str(format!(
            r#"(module
                (@custom "first" (before first) "\00\01")
                (import "env" "log" (func (param i32)))
                (func (param i32)) (func (param i32) (call 0 (local.get 0))) (func (param i32))
                (memory 1)
                (table 1 funcref)
                (elem (i32.const 0) func 1)
                (data (i32.const 0) "proxy_on_log protobridge_on_log")
                (@custom "last" (after last) "\02\03")
                {exports})"#
        ))
        .unwrap()
    }

    /// `(export "NAME" (KIND INDEX))` for each.
    fn exports(exports: &[(&str, &str, u32)]) -> String {
        let lines = exports
            .iter()
            .map(|(name, kind, index)| format!(r#"(export "{name}" ({kind} {index}))"#));
        lines.collect()
    }

    /// The module with each section as `write` writes it from its id and its contents.
    fn written(module: &[u8], write: impl Fn(u8, &[u8]) -> Vec<u8>) -> Vec<u8> {
        let sections = Parser::new(0)
            .parse_all(module)
            .filter_map(|payload| payload.unwrap().as_section())
            .map(|(id, range)| write(id, &module[range.start as usize..range.end as usize]));
        [module[..8].to_vec()].into_iter().chain(sections).flatten().collect()
    }

    /// A section with its size in one byte.
    fn short(id: u8, contents: &[u8]) -> Vec<u8> {
        let size = u8::try_from(contents.len()).unwrap();
        assert!(size < 0x80);
        [&[id, size], contents].concat()
    }

    /// The same with its size in five bytes, as LLVM's linker writes it.
    fn long(id: u8, contents: &[u8]) -> Vec<u8> {
        let size = short(id, contents)[1];
        [&[id, size | 0x80, 0x80, 0x80, 0x80, 0], contents].concat()
    }

    fn linked(before: &[(&str, &str, u32)]) -> Result<Vec<u8>, String> {
        link(&module(&exports(before)))
    }

    #[test]
    fn each_own_callback_takes_the_place_of_the_other() {
        let before = [
            ("memory", "memory", 0),
            ("proxy_on_log", "func", 1),
            ("protobridge_on_log", "func", 2),
            ("proxy_on_delete", "func", 1),
            ("protobridge_on_done", "func", 3),
            ("proxy_on_done", "func", 1),
        ];
        let after = [
            ("memory", "memory", 0),
            ("proxy_on_log", "func", 2),
            ("proxy_on_delete", "func", 1),
            ("proxy_on_done", "func", 3),
        ];
        let linked = linked(&before).unwrap();
        // So with everything else.
        assert_eq!(linked, module(&exports(&after)));
        assert!(Validator::new().validate_all(&linked).is_ok());
    }

    #[test]
    fn the_other_sections_stay_byte_for_byte() {
        let before = module(&exports(&[
            ("proxy_on_log", "func", 1),
            ("protobridge_on_log", "func", 2),
        ]));
        let after = module(&exports(&[("proxy_on_log", "func", 2)]));
        assert_eq!(written(&before, short), before);
        let exports = u8::from(wasm_encoder::SectionId::Export);
        let but_for_the_exports = |id, contents: &[u8]| match id == exports {
            true => short(id, contents),
            false => long(id, contents),
        };
        assert_eq!(
            link(&written(&before, long)).unwrap(),
            written(&after, but_for_the_exports)
        );
    }

    #[test]
    fn a_module_that_is_rewritten_already_is_refused() {
        let before = [("proxy_on_log", "func", 1), ("protobridge_on_log", "func", 2)];
        let once = linked(&before).unwrap();
        let error = link(&once).unwrap_err();
        assert_eq!(error, "no export protobridge_on_… in it; it may be rewritten already");
        // Without a section too.
        assert_eq!(link(&module("")).unwrap_err(), error);
    }

    #[test]
    fn an_own_callback_without_the_other_is_refused() {
        let before = [
            ("proxy_on_log", "func", 1),
            ("protobridge_on_log", "func", 2),
            ("protobridge_on_done", "func", 3),
        ];
        assert_eq!(
            linked(&before).unwrap_err(),
            "protobridge_on_done has no proxy_on_done to take the place of"
        );
        // Nor does something else of that name count.
        let memory = [("proxy_on_log", "memory", 0), ("protobridge_on_log", "func", 2)];
        assert!(linked(&memory).is_err());
    }

    #[test]
    fn an_own_callback_that_is_no_function_is_refused() {
        let before = [("proxy_on_log", "func", 1), ("protobridge_on_log", "memory", 0)];
        assert_eq!(linked(&before).unwrap_err(), "protobridge_on_log is no function");
    }

    #[test]
    fn what_is_no_module_is_refused() {
        let before = [("proxy_on_log", "func", 1), ("protobridge_on_log", "func", 2)];
        let module = module(&exports(&before));
        let component = wat::parse_str("(component)").unwrap();
        for bytes in [
            b"".as_slice(),
            b"\0asm",
            b"<html>",
            &component,
            &module[..module.len() - 1],
        ] {
            let error = link(bytes).unwrap_err();
            assert!(error.starts_with("this is no WebAssembly module"), "{error}");
            assert_eq!(error.lines().count(), 1);
        }
    }
}
