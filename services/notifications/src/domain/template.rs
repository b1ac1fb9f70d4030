//! The texts of messages: their file form, their strict placeholders, and rendering.
//!
//! A file holds `channels:` and `title:` lines, then `[body]` (inbox and mail) and `[sms]` sections. `{name}` stands for
//! a value; there is no other syntax.

use std::collections::BTreeMap;

use super::channel::Channel;

#[cfg(test)]
mod tests;

/// What placeholders stand for.
pub type Values = BTreeMap<String, String>;

/// One version of one text. A released version never changes: notices are rendered from it for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// For example `application_submitted`.
    pub name: &'static str,
    /// From 1.
    pub version: u32,
    /// Where messages of this template go.
    pub channels: Vec<Channel>,
    /// Title of a notice, subject of a mail; empty where there is only an SMS.
    pub title: Text,
    /// Text of notice and mail; empty where there is only an SMS.
    pub body: Text,
    /// Text of the SMS; empty where there is none.
    pub sms: Text,
}

/// A text with placeholders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Words(String),
    Placeholder(String),
}

/// Why a file is no template.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// Neither `channels:` nor `title:` nor a section.
    #[error("unexpected line: {0}")]
    Line(String),
    /// Not the name of a channel.
    #[error("unknown channel: {0}")]
    Channel(String),
    /// A part that a channel of the template needs is missing, or one that none of them needs is there.
    #[error("the channels do not fit the part: {0}")]
    Part(&'static str),
    /// A brace that does not belong to a `{name}` of small letters and underscores.
    #[error("a brace out of place in: {0}")]
    Brace(String),
}

/// A text names a value that nobody gave.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("the placeholder {{{0}}} has no value")]
pub struct UnknownPlaceholder(pub String);

impl Template {
    /// Reads a file.
    pub fn parse(name: &'static str, version: u32, file: &str) -> Result<Self, TemplateError> {
        let (mut channels, mut title, mut body, mut sms) = (Vec::new(), String::new(), String::new(), String::new());
        let mut section: Option<&mut String> = None;
        for line in file.lines() {
            section = match (line.trim_end(), section) {
                ("[body]", _) => Some(&mut body),
                ("[sms]", _) => Some(&mut sms),
                (line, Some(text)) => {
                    text.push_str(line);
                    text.push('\n');
                    Some(text)
                }
                ("", None) => None,
                (line, None) => {
                    if let Some(names) = line.strip_prefix("channels: ") {
                        for name in names.split(' ') {
                            channels.push(Channel::parse(name).ok_or_else(|| TemplateError::Channel(name.to_owned()))?);
                        }
                    } else if let Some(text) = line.strip_prefix("title: ") {
                        text.clone_into(&mut title);
                    } else {
                        return Err(TemplateError::Line(line.to_owned()));
                    }
                    None
                }
            };
        }
        let (title, body, sms) = (Text::parse(&title)?, Text::parse(&body)?, Text::parse(&sms)?);
        let written = channels.contains(&Channel::Inbox) || channels.contains(&Channel::Mail);
        for (part, text, needed) in
            [("title", &title, written), ("body", &body, written), ("sms", &sms, channels.contains(&Channel::Sms))]
        {
            if text.source.is_empty() == needed {
                return Err(TemplateError::Part(part));
            }
        }
        Ok(Self { name, version, channels, title, body, sms })
    }

    /// The title with its values.
    pub fn render_title(&self, values: &Values) -> Result<String, UnknownPlaceholder> {
        self.title.render(values)
    }

    /// The body with its values.
    pub fn render_body(&self, values: &Values) -> Result<String, UnknownPlaceholder> {
        self.body.render(values)
    }

    /// The SMS with its values.
    pub fn render_sms(&self, values: &Values) -> Result<String, UnknownPlaceholder> {
        self.sms.render(values)
    }

    /// Names of all placeholders in all parts.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        [&self.title, &self.body, &self.sms].into_iter().flat_map(Text::placeholders)
    }
}

impl Text {
    fn parse(text: &str) -> Result<Self, TemplateError> {
        let source = text.trim().to_owned();
        let misplaced = || TemplateError::Brace(source.clone());
        let mut pieces = Vec::new();
        for (index, part) in source.split('{').enumerate() {
            let words = if index == 0 {
                part
            } else {
                let (name, words) = part.split_once('}').ok_or_else(misplaced)?;
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                    return Err(misplaced());
                }
                pieces.push(Piece::Placeholder(name.to_owned()));
                words
            };
            if words.contains('}') {
                return Err(misplaced());
            }
            if !words.is_empty() {
                pieces.push(Piece::Words(words.to_owned()));
            }
        }
        Ok(Self { source, pieces })
    }

    /// As it stands in the file, placeholders and all.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name.as_str()),
            Piece::Words(_) => None,
        })
    }

    fn render(&self, values: &Values) -> Result<String, UnknownPlaceholder> {
        let parts: Result<Vec<&str>, _> = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Words(words) => Ok(words.as_str()),
                Piece::Placeholder(name) => {
                    values.get(name).map(String::as_str).ok_or_else(|| UnknownPlaceholder(name.clone()))
                }
            })
            .collect();
        Ok(parts?.concat())
    }
}
