//! Paths as clients come to them.

use std::borrow::Cow;

/// What a base URL with too much or too little at its end makes of a path, and what was meant. SDKs differ in which part of
/// `/claude/v1/messages` they add by themselves, so that people write the version twice, or not at all.
const STRAY: [(&str, &str); 8] = [
    ("//", "/"),
    ("/v1/v1/", "/v1/"),
    ("/v1/v1beta/", "/v1beta/"),
    ("/v1beta/v1beta/", "/v1beta/"),
    ("/claude/m", "/claude/v1/m"),
    ("/gemini/m", "/gemini/v1beta/m"),
    ("/openai/responses", "/openai/v1/responses"),
    ("/openai/chat/", "/openai/v1/chat/"),
];

/// A path without trailing slashes, and as its route is written. Behind `models/` stands a name, which stays as it is.
pub(super) fn usual(path: &str) -> Cow<'_, str> {
    let path = path.trim_end_matches('/');
    let models = path.find("/models/").map_or(path.len(), |at| at + "/models/".len());
    let (head, name) = path.split_at_checked(models).unwrap_or((path, ""));
    let mut usual = Cow::Borrowed(head);
    for (stray, meant) in STRAY {
        if usual.contains(stray) {
            usual = Cow::Owned(usual.replace(stray, meant));
        }
    }
    match usual {
        Cow::Borrowed(_) => Cow::Borrowed(path),
        Cow::Owned(head) => Cow::Owned(head + name),
    }
}
