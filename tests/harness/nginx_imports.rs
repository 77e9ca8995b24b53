//! The host functions as a guest meets them in WasmX: what traps there is made to trap here, in the guest's own code,
//! since the host crate has no such function.

use std::collections::BTreeMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, Function, FunctionSection, Instruction, Module};
use wasmparser::{CodeSectionReader, FunctionSectionReader, Parser, Payload, TypeRef};

use super::profile::Nginx;

const WRITE_BODY: &str = "proxy_set_buffer_bytes";
const READ_BODY: &str = "proxy_get_buffer_bytes";

/// The module with calls of `nginx.trapping_functions` trapping, of `proxy_set_buffer_bytes` cut, and of
/// `proxy_get_buffer_bytes` always from the beginning: WasmX writes no more bytes than the size that is to be replaced,
/// unless that is 0, and takes no notice of where to start to read.
///
/// # Panics
///
/// When it imports a function that WasmX cannot link.
pub(super) fn link(module: &[u8], nginx: &Nginx) -> Vec<u8> {
    let mut linker = Linker::read(module, nginx);
    let mut linked = Module::new();
    linker
        .parse_core_module(&mut linked, Parser::new(0), module)
        .expect("a module that can be encoded again");
    linked.finish()
}

/// Sends calls of some imports to functions behind all others, so that no index changes.
#[derive(Default)]
struct Linker {
    replaced: BTreeMap<u32, u32>,
    /// The types of the new functions and their bodies, in order.
    added: Vec<(u32, Function)>,
}

impl Linker {
    fn read(module: &[u8], nginx: &Nginx) -> Self {
        let mut imports = Vec::new();
        let mut own = 0;
        for payload in Parser::new(0).parse_all(module) {
            match payload.expect("a WebAssembly module") {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.expect("an import");
                        if let TypeRef::Func(kind) = import.ty {
                            imports.push((import.name, kind));
                        }
                    }
                }
                Payload::FunctionSection(section) => own = section.count(),
                _ => {}
            }
        }
        let mut linker = Self::default();
        let first = imports.len() as u32 + own;
        for (index, (name, kind)) in imports.into_iter().enumerate() {
            assert!(
                !nginx.unlinkable_functions.contains(&name),
                "the module imports {name}, which WasmX has with another arity: it is not instantiated"
            );
            let index = index as u32;
            let body = if name == WRITE_BODY {
                cut(index)
            } else if name == READ_BODY {
                from_the_beginning(index)
            } else if nginx.trapping_functions.contains(&name) {
                function(&[Instruction::Unreachable])
            } else {
                continue;
            };
            linker.replaced.insert(index, first + linker.added.len() as u32);
            linker.added.push((kind, body));
        }
        linker
    }
}

impl Reencode for Linker {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Infallible>> {
        Ok(self.replaced.get(&function).copied().unwrap_or(function))
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_function_section(self, functions, section)?;
        for (kind, _) in &self.added {
            functions.function(*kind);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_code_section(self, code, section)?;
        for (_, body) in &self.added {
            code.function(body);
        }
        Ok(())
    }
}

/// `(buffer, start, size, bytes, length)`: calls `import` with the length cut to the size.
fn cut(import: u32) -> Function {
    let [size, length] = [Instruction::LocalGet(2), Instruction::LocalGet(4)];
    function(&[
        Instruction::LocalGet(0),
        Instruction::LocalGet(1),
        size.clone(),
        Instruction::LocalGet(3),
        length.clone(),
        size.clone(),
        // Is it 0 < size < length? Else the length stays.
        size.clone(),
        Instruction::I32Eqz,
        length,
        size,
        Instruction::I32LeU,
        Instruction::I32Or,
        Instruction::Select,
        Instruction::Call(import),
    ])
}

/// `(buffer, start, size, bytes, length)`: calls `import` with 0 for the start.
fn from_the_beginning(import: u32) -> Function {
    function(&[
        Instruction::LocalGet(0),
        Instruction::I32Const(0),
        Instruction::LocalGet(2),
        Instruction::LocalGet(3),
        Instruction::LocalGet(4),
        Instruction::Call(import),
    ])
}

fn function(instructions: &[Instruction<'_>]) -> Function {
    let mut function = Function::new([]);
    for instruction in instructions {
        function.instruction(instruction);
    }
    function.instruction(&Instruction::End);
    function
}
