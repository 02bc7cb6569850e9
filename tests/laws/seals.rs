//! Laws of sealed values.

use any_api::envelope;
use any_api::ir;

use crate::support::fixtures::DIALECTS;
use crate::support::prng::Prng;
use crate::support::{grammar, ways};

/// The seals in the envelopes of what a client gets.
fn seals(bytes: &[u8]) -> Vec<ir::Sealed> {
    let text = std::str::from_utf8(bytes).unwrap();
    let slots = text.match_indices(envelope::MARK).map(|(at, _)| text[at..].split(['"', '\\']).next().unwrap());
    let mut out: Vec<ir::Sealed> = slots.filter_map(|slot| envelope::open("none", &slot.into())).collect();
    // Responses says each item twice.
    out.dedup();
    out
}

/// A thought's seal goes to the client in an envelope and comes out of it as it went in.
#[test]
fn seals_of_thoughts_reach_every_client() {
    for payload in ["c2lnbmF0dXJl", "c2ln-_8", "c2ln+/8=", "not base64 at all!"] {
        let issuer = ir::Issuer { dialect: "x".into(), provider: Some("p".into()), model: Some("m".into()) };
        let seal = ir::Sealed { issuer, payload: payload.into(), note: None };
        for form in [ir::ReasoningForm::Summary, ir::ReasoningForm::Raw, ir::ReasoningForm::Redacted] {
            let thought = ir::Reasoning {
                text: if form == ir::ReasoningForm::Redacted { "".into() } else { "Hm.".into() },
                form,
                meta: ir::Meta { seal: Some(Box::new(seal.clone())), ..ir::Meta::default() },
            };
            let text = ir::TextPart { text: "Yes.".into(), ..ir::TextPart::default() };
            let parts = vec![ir::Part::Reasoning(thought), ir::Part::Text(text)];
            let response = ir::Response { parts, ..ir::Response::default() };
            for dialect in DIALECTS {
                let bytes = ways::encode(dialect, &response.clone().events());
                let shown = String::from_utf8_lossy(&bytes);
                assert_eq!(seals(&bytes), std::slice::from_ref(&seal), "{dialect}, {form:?}, streamed: {shown}");
                let (body, _) = ways::render(dialect, &ways::cx(""), response.clone());
                let shown = String::from_utf8_lossy(&body);
                assert_eq!(seals(&body), std::slice::from_ref(&seal), "{dialect}, {form:?}, whole: {shown}");
            }
        }
    }
}

#[test]
fn envelopes_open_to_what_was_wrapped() {
    let mut prng = Prng::new(5);
    let word = |prng: &mut Prng, alphabet: &str, longest: usize| -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..prng.below(longest)).map(|_| *prng.pick(&letters)).collect()
    };
    for _ in 0..3_000 {
        let alphabet = *prng.pick(&["ABCDabcd0189+/", "ABCDabcd0189-_", "ABab01+/-_", "añ🦀\n\u{0}=", "AB="]);
        let payload = word(&mut prng, alphabet, 40) + *prng.pick(&["", "", "=", "==", "==="]);
        let issuer = ir::Issuer {
            dialect: prng.pick(&DIALECTS).to_owned().into(),
            provider: prng.one_in(2).then(|| format!("p{}", word(&mut prng, "abc-", 9)).into()),
            model: prng.one_in(2).then(|| format!("m{}", word(&mut prng, "ä/:@abc-", 30)).into()),
        };
        let note = prng.one_in(2).then(|| format!("n{}", word(&mut prng, "ä_-09", 9)).into());
        let seal = ir::Sealed { issuer, payload: payload.into(), note };
        let slot = envelope::wrap(&seal);
        assert!(grammar::is_base64(&slot), "{slot:?}");
        assert_eq!(envelope::open("claude", &slot), Some(seal.clone()), "{slot:?}");
        // Google's SDKs decode the slot and encode it again in the other alphabet.
        let other: ir::Text = slot.replace('+', "-").replace('/', "_").into();
        let through = envelope::open("claude", &other).unwrap();
        assert_eq!(through, seal, "{other:?}");
        for length in 0..slot.len() {
            // A truncated one is nobody's; one without even the mark is what any bare value is. What is cut off may be
            // padding alone, which says nothing.
            if let Some(opened) = envelope::open("claude", &slot[..length].into()) {
                let is_bare = opened.payload == slot[..length] && opened.issuer.provider.is_none();
                assert!(is_bare || opened == seal, "{slot:?}, {length}");
            }
        }
    }
    let bare = envelope::open("claude", &"EqQBCkYIAxgCKkBu".into()).unwrap();
    assert_eq!((bare.issuer.provider, bare.payload), (None, "EqQBCkYIAxgCKkBu".into()));
    for forged in
        ["YW55LWFwaTox", "YW55LWFwaTox????", "YW55LWFwaToxMDAwMDAz", "YW55LWFwaToxOTk5OTk5AAAA", "YW55LWFwaTox🦀🦀🦀"]
    {
        assert_eq!(envelope::open("claude", &forged.into()), None, "{forged}");
    }
}
