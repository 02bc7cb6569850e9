//! Where a string ends: the one loop that looks at every byte of a prompt.
//!
//! Blocks of 32 bytes are turned into bits (quotes, backslashes, control characters), and then only bits are looked at: source
//! code has an escape in every fifteen bytes, and to begin anew behind each would cost more than the bytes. Where there are
//! registers for it (x86-64, ARM, WebAssembly with `simd128`) 16 bytes are compared together, elsewhere 8.

/// How many bytes are looked at together.
const BLOCK: usize = 32;

/// What is special among some bytes, a bit each, the first byte's lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks {
    quotes: u32,
    backslashes: u32,
    /// Characters that may not stand in a string as they are.
    controls: u32,
}

impl Marks {
    /// The marks of 32 bytes.
    fn of(block: &[u8; BLOCK]) -> Self {
        let (head, tail) = block.split_at(BLOCK / 2);
        let half = |bytes: &[u8]| bytes.first_chunk().map(Self::of_half).unwrap_or_default();
        let (head, tail) = (half(head), half(tail));
        Self {
            quotes: head.quotes | tail.quotes << 16,
            backslashes: head.backslashes | tail.backslashes << 16,
            controls: head.controls | tail.controls << 16,
        }
    }

    /// The marks of 16 bytes.
    #[cfg(any(target_feature = "sse2", target_feature = "simd128", target_feature = "neon"))]
    #[inline]
    fn of_half(bytes: &[u8; 16]) -> Self {
        use wide::u8x16;
        let bytes = u8x16::new(*bytes);
        let equal = |byte: u8| bytes.simd_eq(u8x16::splat(byte)).to_bitmask();
        let controls = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes).to_bitmask();
        Self { quotes: equal(b'"'), backslashes: equal(b'\\'), controls }
    }

    /// The marks of 16 bytes.
    #[cfg(not(any(target_feature = "sse2", target_feature = "simd128", target_feature = "neon")))]
    fn of_half(bytes: &[u8; 16]) -> Self {
        Self::of_words(bytes)
    }

    /// The marks of 16 bytes, of all kinds together.
    #[cfg(any(target_feature = "sse2", target_feature = "simd128", target_feature = "neon"))]
    #[inline]
    fn any_of_half(bytes: &[u8; 16]) -> u32 {
        use wide::u8x16;
        let bytes = u8x16::new(*bytes);
        let equal = |byte: u8| bytes.simd_eq(u8x16::splat(byte));
        (equal(b'"') | equal(b'\\') | bytes.min(u8x16::splat(0x1f)).simd_eq(bytes)).to_bitmask()
    }

    /// The marks of 16 bytes, of all kinds together.
    #[cfg(not(any(target_feature = "sse2", target_feature = "simd128", target_feature = "neon")))]
    fn any_of_half(bytes: &[u8; 16]) -> u32 {
        let Self { quotes, backslashes, controls } = Self::of_words(bytes);
        quotes | backslashes | controls
    }

    /// The same by two numbers of 64 bits.
    #[cfg(any(test, not(any(target_feature = "sse2", target_feature = "simd128", target_feature = "neon"))))]
    fn of_words(bytes: &[u8; 16]) -> Self {
        let bytes = u128::from_le_bytes(*bytes);
        #[expect(clippy::cast_possible_truncation, reason = "the halves are meant")]
        let (head, tail) = (Self::of_word(bytes as u64), Self::of_word((bytes >> 64) as u64));
        Self {
            quotes: head.quotes | tail.quotes << 8,
            backslashes: head.backslashes | tail.backslashes << 8,
            controls: head.controls | tail.controls << 8,
        }
    }

    #[cfg(any(test, not(any(target_feature = "sse2", target_feature = "simd128", target_feature = "neon"))))]
    fn of_word(word: u64) -> Self {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const TOPS: u64 = ONES << 7;
        // A byte's lower bits and these reach its top bit if they are at least so much; no byte carries into the next.
        let reach = |word: u64, least: u64| (word & !TOPS) + ONES * (0x80 - least);
        let equal = |byte: u64| {
            let word = word ^ (ONES * byte);
            !(reach(word, 1) | word) & TOPS
        };
        let (quotes, backslashes) = (equal(0x22), equal(0x5c));
        let controls = !(reach(word, 0x20) | word) & TOPS;
        if quotes | backslashes | controls == 0 {
            return Self::default();
        }
        // The top bits, brought together at the upper end.
        let gathered = |tops: u64| ((tops >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32;
        Self { quotes: gathered(quotes), backslashes: gathered(backslashes), controls: gathered(controls) }
    }
}

/// A string that was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// Behind its closing quote.
    pub(super) end: usize,
    /// How many escapes it has.
    pub(super) escapes: u32,
    /// Whether one of them is by number.
    pub(super) has_unicode: bool,
}

/// Where a string without escapes ends, if that is within the 16 bytes from `at` on: its quote.
#[inline]
pub(super) fn short(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: &[u8; 16] = bytes.get(at..)?.first_chunk()?;
    let first = Marks::any_of_half(bytes).trailing_zeros() as usize;
    (bytes.get(first) == Some(&b'"')).then_some(at + first)
}

/// Passes over a string, from `at` on, which is behind its opening quote. `None` if it has no end, or is no JSON.
pub(super) fn string(bytes: &[u8], mut at: usize) -> Option<Passed> {
    let (mut escapes, mut has_unicode) = (0, false);
    // The first byte of the block belongs to an escape that began before it.
    let mut carried = 0_u64;
    loop {
        let rest = bytes.get(at..)?;
        let mut padded = [0; BLOCK];
        let block = match rest.first_chunk() {
            Some(block) => block,
            None => {
                // What is behind the end of the document counts as control characters.
                padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                &padded
            }
        };
        let Marks { quotes, backslashes, controls } = Marks::of(block);
        let mut begins = u64::from(backslashes) & !carried;
        let mut stops = u64::from(quotes) & !carried | u64::from(controls);
        carried = 0;
        // An escape before whatever ends the string.
        while begins != 0 && begins.trailing_zeros() < stops.trailing_zeros() {
            let index = begins.trailing_zeros() as usize;
            let escaped = *rest.get(index + 1)?;
            match ESCAPES.get(usize::from(escaped)) {
                Some(Escape::Plain) => {}
                Some(Escape::Unicode) => {
                    let digits = rest.get(index + 2..index + 6)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    has_unicode = true;
                }
                Some(Escape::None) | None => return None,
            }
            escapes += 1;
            // The backslash, and what it escapes, which may be a backslash or a quote.
            let pair = 3 << index;
            begins &= !pair;
            stops &= !pair;
            carried = pair >> BLOCK;
        }
        if stops != 0 {
            let index = stops.trailing_zeros();
            let is_end = u64::from(controls) >> index & 1 == 0;
            return is_end.then(|| Passed { end: at + index as usize + 1, escapes, has_unicode });
        }
        at += BLOCK;
    }
}

/// What a backslash before a byte makes of it.
#[derive(Clone, Copy)]
enum Escape {
    None,
    Plain,
    Unicode,
}

#[expect(clippy::indexing_slicing, reason = "worked out by the compiler, which would say so")]
static ESCAPES: [Escape; 256] = {
    let mut out = [Escape::None; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        out[byte as usize] = match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Escape::Plain,
            b'u' => Escape::Unicode,
            _ => Escape::None,
        };
        byte += 1;
    }
    out
};

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn words_and_registers_mark_the_same() {
        for byte in 0..=255_u8 {
            for place in 0..16 {
                for other in [b'a', b'"', b'\\', 0x1f, 0x20, 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                    let mut bytes = [other; 16];
                    bytes[place] = byte;
                    let marks = Marks::of_words(&bytes);
                    assert_eq!(marks, Marks::of_half(&bytes), "{bytes:?}");
                    let any = marks.quotes | marks.backslashes | marks.controls;
                    assert_eq!(any, Marks::any_of_half(&bytes), "{bytes:?}");
                    let expected = |is: fn(u8) -> bool| {
                        bytes.iter().enumerate().map(|(index, byte)| u32::from(is(*byte)) << index).sum::<u32>()
                    };
                    assert_eq!(marks.quotes, expected(|byte| byte == b'"'));
                    assert_eq!(marks.backslashes, expected(|byte| byte == b'\\'));
                    assert_eq!(marks.controls, expected(|byte| byte < 0x20));
                }
            }
        }
    }

    /// The same, a byte at a time.
    fn slowly(bytes: &[u8]) -> Option<Passed> {
        let (mut at, mut escapes, mut has_unicode) = (0, 0, false);
        loop {
            match (bytes.get(at)?, bytes.get(at + 1)) {
                (b'"', _) => return Some(Passed { end: at + 1, escapes, has_unicode }),
                (0..0x20, _) => return None,
                (b'\\', Some(b'u')) => {
                    if !bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    (at, escapes, has_unicode) = (at + 6, escapes + 1, true);
                }
                (b'\\', Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => {
                    (at, escapes) = (at + 2, escapes + 1);
                }
                (b'\\', _) => return None,
                _ => at += 1,
            }
        }
    }

    #[test]
    fn strings_end_where_they_end_byte_by_byte() {
        // A row of numbers that looks like chance, the same each time.
        let mut state = 1_u64;
        let mut chance = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let pieces =
            ["\\", "\\\\", "\\\"", "\\n", "\\u00e9", "\\u12", "\"", "a", "é", "abcdefghijklmnopq", "\u{1}", "\\x"];
        let mut ends = 0;
        for round in 0..20_000 {
            // Most rounds have nothing in them that is no JSON.
            let among = if round % 4 == 0 { pieces.len() } else { 9 };
            let mut text = String::new();
            while text.len() < 120 {
                let piece = pieces[usize::try_from(chance(among as u64)).unwrap()];
                let is_common = among == 9 && matches!(piece, "\\" | "\\u12" | "\"");
                text.push_str(if is_common && chance(20) > 0 { "bc" } else { piece });
            }
            let passed = string(text.as_bytes(), 0);
            assert_eq!(passed, slowly(text.as_bytes()), "{text}");
            ends += usize::from(passed.is_some());
            let plain = passed.filter(|passed| passed.escapes == 0 && passed.end <= 16).map(|passed| passed.end - 1);
            assert_eq!(short(text.as_bytes(), 0), plain, "{text}");
        }
        assert!(ends > 4_000, "{ends}");
    }
}
