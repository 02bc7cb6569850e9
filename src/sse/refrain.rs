//! What is written again and again: an event of a stream, each time with another piece of text.

use serde::Serialize;

use super::write_json;

/// An event that was written once, with gaps where its text and its number go. Writing it again costs no more than copying it.
///
/// Where the gaps are is found by what stands in them at first ([`Refrain::TEXT`], [`Refrain::NUMBER`]); so no dialect says twice how
/// its events are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refrain {
    before: Vec<u8>,
    /// What stands between the number and the text; `None` where there is no number.
    between: Option<Vec<u8>>,
    behind: Vec<u8>,
}

impl Refrain {
    /// Stands for the text. Of no use to anybody: Unicode leaves these two without a meaning.
    pub const TEXT: &str = "\u{10fffe}\u{10ffff}";

    /// Stands for the number, if there is one.
    pub const NUMBER: u64 = 9_127_634_508_127_634_509;

    /// The event that is written with [`Refrain::TEXT`] as its text, a string, and [`Refrain::NUMBER`] as its number, which comes before.
    /// `None` where something else in it looks like them.
    #[must_use]
    pub fn of(event: &[u8]) -> Option<Self> {
        let (before, behind) = around(event, format!("\"{}\"", Self::TEXT).as_bytes())?;
        let number = Self::NUMBER.to_string();
        let (before, between) = match around(before, number.as_bytes()) {
            Some((before, between)) => (before, Some(between.to_vec())),
            None => (before, None),
        };
        let is_left = [before, behind]
            .into_iter()
            .chain(between.as_deref())
            .any(|part| [Self::TEXT.as_bytes(), number.as_bytes()].iter().any(|mark| around(part, mark).is_some()));
        (!is_left).then(|| Self { before: before.to_vec(), between, behind: behind.to_vec() })
    }

    /// Writes it with `text`, which is written as a string, and with `number` if it has a place for one.
    pub fn write<T: Serialize + ?Sized>(&self, number: u64, text: &T, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        if let Some(between) = &self.between {
            write_json(&number, out);
            out.extend_from_slice(between);
        }
        write_json(text, out);
        out.extend_from_slice(&self.behind);
    }
}

/// What stands before and behind `mark`.
fn around<'e>(event: &'e [u8], mark: &[u8]) -> Option<(&'e [u8], &'e [u8])> {
    let at = event.windows(mark.len()).position(|part| part == mark)?;
    let (before, rest) = event.split_at_checked(at)?;
    Some((before, rest.get(mark.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_with_another_text_and_another_number() {
        let written = |event: &str| {
            let mut out = Vec::new();
            Refrain::of(event.as_bytes())?.write(12, "a\n\"b\"", &mut out);
            String::from_utf8(out).ok()
        };
        let (text, number) = (Refrain::TEXT, Refrain::NUMBER);
        assert_eq!(
            written(&format!("data: {{\"t\":\"{text}\"}}\n")).as_deref(),
            Some("data: {\"t\":\"a\\n\\\"b\\\"\"}\n")
        );
        let event = format!("data: [{number}, \"{text}\",1]");
        assert_eq!(written(&event).as_deref(), Some("data: [12, \"a\\n\\\"b\\\"\",1]"));
        for odd in ["{}".to_owned(), format!("[\"{text}\",\"{text}\"]"), format!("[{number},{number},\"{text}\"]")] {
            assert_eq!(written(&odd), None, "{odd}");
        }
    }
}
