//! Sealed values in clients' opaque slots: a short header that names the issuer, then the payload as it was.
//!
//! A client of another dialect (or of the same, through another provider) carries a provider's opaque state for us, so
//! the gateway needs no memory. Some slots want base64, and Google's SDKs decode it and encode it again in the other
//! alphabet. So an envelope is base64 throughout: the header is padded to whole groups of three bytes and encoded, and
//! the payload, which is base64 itself nearly always, follows as it stands; only another is encoded once more. There is
//! no MAC: a forged envelope harms its forger alone. But a sum of the payload is in the header, so that one which was cut
//! or mended on its way is dropped, and not refused by the upstream.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::ir::{Issuer, Sealed, Text};

/// `any-api:1` in base64: how every envelope begins.
pub const MARK: &str = "YW55LWFwaTox";

/// How the payload is spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Standard,
    UrlSafe,
    /// Not base64: encoded once more.
    Encoded,
}

/// Puts a sealed value into an envelope.
#[must_use]
pub fn wrap(seal: &Sealed) -> Text {
    let payload = seal.payload.as_str();
    let bare = payload.trim_end_matches('=');
    let padding = payload.len() - bare.len();
    let spelling = spelling(bare, padding);
    let flag = match spelling {
        Spelling::Standard => 's',
        Spelling::UrlSafe => 'u',
        Spelling::Encoded => 'e',
    };
    let part = |part: &Option<Text>| part.as_deref().unwrap_or_default().to_owned();
    let Sealed { issuer: Issuer { dialect, provider, model }, payload: _, note } = seal;
    let (provider, model, sum, note) = (part(provider), part(model), sum(payload), part(note));
    let mut header = format!("{flag}{padding}{dialect}\n{provider}\n{model}\n{sum:08x}\n{note}\n");
    while header.len() % 3 != 0 {
        header.push(' ');
    }
    let mut out =
        format!("{MARK}{}{}", STANDARD_NO_PAD.encode(format!("{:06}", header.len())), STANDARD_NO_PAD.encode(&header));
    match spelling {
        Spelling::Encoded => out.push_str(&STANDARD_NO_PAD.encode(payload)),
        Spelling::Standard | Spelling::UrlSafe => out.push_str(bare),
    }
    // The whole is base64 with padding, as strict readers want it.
    while out.len() % 4 != 0 {
        out.push('=');
    }
    out.into()
}

/// How a payload is spelled, without its padding. A strict reader must find the last group canonical too.
fn spelling(bare: &str, padding: usize) -> Spelling {
    let only = |extra: [u8; 2]| bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte));
    let last_group = bare.get(bare.len() / 4 * 4..).unwrap_or_default();
    let is_padded_right = padding == 0 || (padding <= 2 && (bare.len() + padding).is_multiple_of(4));
    if !is_padded_right || decode(last_group).is_none() {
        return Spelling::Encoded;
    }
    if only(*b"+/") {
        return Spelling::Standard;
    }
    if only(*b"-_") { Spelling::UrlSafe } else { Spelling::Encoded }
}

/// Reads an opaque slot of a client of `dialect`: an envelope gives what was wrapped; any other value is one that an
/// upstream of the dialect itself sealed. What begins like an envelope and is none is `None`: nobody can use it.
#[must_use]
pub fn open(dialect: &'static str, slot: &Text) -> Option<Sealed> {
    let Some(rest) = slot.strip_prefix(MARK) else {
        let issuer = Issuer { dialect: Text::constant(dialect), provider: None, model: None };
        return Some(Sealed { issuer, payload: slot.clone(), note: None });
    };
    let length: usize = String::from_utf8(decode(rest.get(..8)?)?).ok()?.parse().ok()?;
    let rest = rest.get(8..)?;
    let end = length.checked_div(3)?.checked_mul(4)?;
    let header = String::from_utf8(decode(rest.get(..end)?)?).ok()?;
    let bare = rest.get(end..)?.trim_end_matches('=');
    let (flags, names) = header.split_at_checked(2)?;
    let mut names = names.split('\n');
    let mut name = || names.next().map(|name| (!name.is_empty()).then(|| Text::from(name)));
    let issuer = Issuer { dialect: name()??, provider: name()?, model: name()? };
    let (wanted, note) = (name()??, name()?);
    let padding = "=".repeat(flags.get(1..)?.parse().ok()?);
    let payload = match flags.get(..1)? {
        "s" => format!("{}{padding}", bare.replace('-', "+").replace('_', "/")),
        "u" => format!("{}{padding}", bare.replace('+', "-").replace('/', "_")),
        "e" => String::from_utf8(decode(bare)?).ok()?,
        _ => return None,
    };
    (*wanted == *format!("{:08x}", sum(&payload))).then(|| Sealed { issuer, payload: payload.into(), note })
}

/// A sum that changes with any letter of the text (FNV-1a): against accidents, not against forgers.
fn sum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()
}
