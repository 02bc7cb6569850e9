//! Where the long values of a document end, noted when it is first read.
//!
//! A document is read several times: once for the model's name, then by its frontend, and a block whose meaning hangs on its
//! type once to its end and once for what is in it, at each level. Who knows where a string of four kilobytes ends need not
//! look at its bytes again.

use std::cmp::Ordering;

/// Shorter strings are read again faster than they are found here.
pub(crate) const LONG_STRING: usize = 64;

/// The same for lists and objects.
pub(crate) const LONG_GROUP: usize = 128;

/// Lists and objects further inside are not noted, so that a document that is nothing but brackets has no more notes than text.
pub(crate) const DEEPEST: usize = 8;

/// A long value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Landmark {
    /// Where it begins.
    pub(crate) start: u32,
    /// Where it ends: behind its quote or bracket.
    pub(crate) end: u32,
    /// How many escapes a string has; how many landmarks there are inside of a list or an object.
    pub(crate) count: u32,
    /// Whether a string has an escape by number.
    pub(crate) has_unicode: bool,
}

/// The long values of a document, in the order of their beginnings.
#[derive(Debug, Default)]
pub(crate) struct Landmarks(Vec<Landmark>);

impl Landmarks {
    /// Notes that are in their order.
    pub(crate) fn new(notes: Vec<Landmark>) -> Self {
        Self(notes)
    }

    /// The long value that begins at `start`, if one does.
    pub(crate) fn at(&self, start: usize) -> Option<&Landmark> {
        self.0.get(self.index(start)).filter(|landmark| landmark.start as usize == start)
    }

    /// How many long values begin before `start`.
    pub(crate) fn index(&self, start: usize) -> usize {
        self.0.partition_point(|landmark| (landmark.start as usize) < start)
    }

    /// The same as [`Self::at`], for who goes through the document: `near` is an index at or before the value's, and is moved on to it.
    pub(crate) fn next(&self, start: usize, near: &mut usize) -> Option<&Landmark> {
        loop {
            let landmark = self.0.get(*near)?;
            match (landmark.start as usize).cmp(&start) {
                Ordering::Less => *near += 1,
                Ordering::Equal => return Some(landmark),
                Ordering::Greater => return None,
            }
        }
    }
}
