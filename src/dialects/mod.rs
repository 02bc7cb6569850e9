//! Words that both sides of a dialect share, and tables that several dialects share.

pub mod claude;
pub mod effort;
pub mod gemini;
pub mod hosted;
pub mod mcp;
pub mod media;
pub mod openai;
pub mod openai_chat_completions;
pub mod openai_responses;
