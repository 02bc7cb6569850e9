//! Raw WebAssembly, without bindings: JavaScript puts a document at [`input`], calls [`round_trip`], and takes what lies at [`output`].
use std::cell::RefCell;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Room for a document of `length` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn input(length: usize) -> *mut u8 {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        buffer.resize(length, 0);
        buffer.as_mut_ptr()
    })
}

/// Reads the document and writes it anew, for another model; gives its length, or 0 if it is no JSON.
#[unsafe(no_mangle)]
pub extern "C" fn round_trip() -> usize {
    BUFFER.with_borrow_mut(|buffer| {
        let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(buffer) else { return 0 };
        if let Some(model) = value.get_mut("model") {
            *model = "model".into();
        }
        *buffer = serde_json::to_vec(&value).unwrap_or_default();
        buffer.len()
    })
}

/// Where the document lies.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    BUFFER.with_borrow(|buffer| buffer.as_ptr())
}
