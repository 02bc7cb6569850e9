//! The order of a module's functions. What is uploaded and limited is compressed, and gzip looks back no further than 32 KB: so each
//! function is followed by the one that is most like it. That takes 4 % off, for code that is not changed in anything but the numbers
//! of its functions.
use std::cmp::Reverse;
use std::collections::HashMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, FunctionSection, Module};
use wasmparser::{CodeSectionReader, FunctionSectionReader, Parser, Payload};

/// The bytes of a piece by which functions are compared: an instruction or three.
const PIECE: usize = 6;

/// A piece that stands in more functions than this says nothing about them.
const COMMON: usize = 60;

/// The module with its functions in the order that compresses best. `imported` is the number of its imported functions.
pub(crate) fn ordered(module: &[u8], imported: u32) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CodeSectionEntry(body) = payload? {
            bodies.push(body.as_bytes());
        }
    }
    let order = by_likeness(&bodies);
    let mut places = vec![0; order.len()];
    for (place, old) in order.iter().enumerate() {
        places[*old] = imported + u32::try_from(place)?;
    }
    let mut out = Module::new();
    Renumbering { imported, order, places }.parse_core_module(&mut out, Parser::new(0), module)?;
    Ok(out.finish())
}

/// A function, the one that has most pieces in common with it, and so on; where none has any, the first that is left.
fn by_likeness(bodies: &[&[u8]]) -> Vec<usize> {
    let pieces: Vec<Vec<u64>> = bodies.iter().map(|body| pieces(body)).collect();
    let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
    for (function, pieces) in pieces.iter().enumerate() {
        for piece in pieces {
            holders.entry(*piece).or_default().push(function);
        }
    }
    holders.retain(|_, functions| (2..=COMMON).contains(&functions.len()));
    let mut is_left = vec![true; bodies.len()];
    let mut order = Vec::with_capacity(bodies.len());
    let mut next = None;
    while let Some(function) = next.or_else(|| is_left.iter().position(|is_left| *is_left)) {
        is_left[function] = false;
        order.push(function);
        let mut shared: HashMap<usize, usize> = HashMap::new();
        for other in pieces[function].iter().filter_map(|piece| holders.get(piece)).flatten() {
            if is_left[*other] {
                *shared.entry(*other).or_default() += 1;
            }
        }
        next = shared.into_iter().max_by_key(|(other, count)| (*count, Reverse(*other))).map(|(other, _)| other);
    }
    order
}

/// A quarter of the pieces of a function, picked by what they are, so that two functions have the same ones picked.
fn pieces(body: &[u8]) -> Vec<u64> {
    let numbers = body.windows(PIECE).map(|piece| piece.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    let mut out: Vec<u64> = numbers.filter(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62 == 0).collect();
    out.sort_unstable();
    out.dedup();
    out
}

struct Renumbering {
    imported: u32,
    /// The functions in their new order, by their old places; imported ones are not among them.
    order: Vec<usize>,
    /// The new numbers of the functions, in their old order.
    places: Vec<u32>,
}

impl Reencode for Renumbering {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        Ok(function.checked_sub(self.imported).map_or(function, |old| self.places[old as usize]))
    }

    fn parse_function_section(
        &mut self,
        out: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        let types = section.into_iter().collect::<Result<Vec<u32>, _>>()?;
        for old in &self.order {
            out.function(types[*old]);
        }
        Ok(())
    }

    fn parse_code_section(&mut self, out: &mut CodeSection, section: CodeSectionReader<'_>) -> Result<(), Error> {
        let bodies = section.into_iter().collect::<Result<Vec<_>, _>>()?;
        for old in self.order.clone() {
            utils::parse_function_body(self, out, bodies[old].clone())?;
        }
        Ok(())
    }
}
