//! A source of registers that answers by the contract, or fails, throttles, repeats and lies.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use certificates::source::Settings;
use eventlog::Division;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, Instant};

/// What the source does with one request; by the contract where nothing else is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the contract.
    Right,
    /// A status without a page, and when to come again.
    Status(&'static str),
    HangsUp,
    /// Never answers.
    Silent,
    /// One row less than it says.
    CountsTooMany,
    /// More rows to follow than there are.
    PromisesTooMany,
    /// The first page, whatever was asked for.
    Repeats,
    /// Rows in the wrong order.
    Disorder,
    /// The same id for all rows of the page.
    OneId,
    /// A name that is no UTF-8.
    NotUtf8,
    Garbage,
    /// An answer without an end.
    Flood,
}

#[derive(Default)]
struct State {
    /// Of each register: rows by their places.
    rows: BTreeMap<&'static str, BTreeMap<(String, String), Value>>,
    ways: VecDeque<Way>,
    asked: Vec<String>,
    /// When, each time.
    moments: Vec<Instant>,
}

/// The source, on this machine; keeps what it was asked.
pub struct Server {
    url: String,
    state: Arc<Mutex<State>>,
    files: tempfile::TempDir,
}

/// Rows of a page, whatever was asked for: few, so that there are pages.
const PAGE: usize = 2;

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/register", listener.local_addr().unwrap());
        let server = Self { url, state: Arc::default(), files: tempfile::tempdir().unwrap() };
        let state = Arc::clone(&server.state);
        #[expect(clippy::disallowed_methods, reason = "the server of a test lives as long as its runtime")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                tokio::spawn(async move { serve(stream, &state).await });
            }
        });
        server
    }

    /// Settings that name it, for the certificates of Jiangsu.
    pub fn settings(&self) -> Settings {
        let token = self.files.path().join("token");
        std::fs::write(&token, "geheim-token\n").unwrap();
        Settings {
            register_url: Some(self.url.clone()),
            register_token_file: Some(token),
            register_division: Division::parse("32"),
            register_minutes: None,
        }
    }

    /// A row as it is from a second on; takes the place of what it was before.
    pub fn put(&self, register: &'static str, second: u32, id: u32, cells: &[(&str, &str)]) {
        self.put_at(register, &format!("2026-11-01T08:00:{second:02}Z"), id, cells);
    }

    /// The same from any time on.
    pub fn put_at(&self, register: &'static str, changed_at: &str, id: u32, cells: &[(&str, &str)]) {
        let (changed_at, id) = (changed_at.to_owned(), format!("00000000-0000-0000-0000-{id:012}"));
        let cells: BTreeMap<&str, &str> = cells.iter().copied().collect();
        let row = json!({"id": id, "changed_at": changed_at, "cells": cells});
        let mut state = self.state.lock().unwrap();
        let rows = state.rows.entry(register).or_default();
        rows.retain(|(_, other), _| *other != id);
        rows.insert((changed_at, id), row);
    }

    /// What it does with the next requests.
    pub fn goes(&self, ways: impl IntoIterator<Item = Way>) {
        self.state.lock().unwrap().ways.extend(ways);
    }

    /// What it was asked since it was asked this last.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// How long it was left alone between one request and the next, from the first one ever.
    pub fn pauses(&self) -> Vec<Duration> {
        let moments = &self.state.lock().unwrap().moments;
        moments.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// How often it was asked since.
    pub fn times(&self) -> usize {
        self.state.lock().unwrap().asked.len()
    }
}

/// One question, one answer, one connection.
async fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut request = String::new();
    while !request.contains("\r\n\r\n") {
        let mut bytes = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut bytes).await else { return };
        request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    let (way, page) = {
        let mut state = state.lock().unwrap();
        state.asked.push(request.clone());
        state.moments.push(Instant::now());
        let way = state.ways.pop_front().unwrap_or(Way::Right);
        (way, page(&state, &request, way))
    };
    let (status, body) = match way {
        Way::HangsUp => return,
        Way::Silent => return std::future::pending().await,
        Way::Status(status) => (status, Vec::new()),
        Way::Garbage => ("200 OK", b"{\"count\": 1, ".to_vec()),
        Way::Flood => ("200 OK", vec![b' '; 5 * 1024 * 1024]),
        Way::NotUtf8 => {
            let text = page.to_string().replace("示例", "\u{fffe}");
            let mark = "\u{fffe}".as_bytes();
            let mut body = text.into_bytes();
            while let Some(at) = body.windows(mark.len()).position(|window| window == mark) {
                body.splice(at..at + mark.len(), *b"\xca\xbe\xc0\xfd");
            }
            ("200 OK", body)
        }
        _ => ("200 OK", page.to_string().into_bytes()),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // Whoever has read enough may be gone.
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
}

fn page(state: &State, request: &str, way: Way) -> Value {
    let target = request.split(' ').nth(1).unwrap();
    let (path, query) = target.split_once('?').unwrap();
    let register = path.strip_prefix("/register/").unwrap();
    let after = query.split('&').find_map(|part| part.strip_prefix("after=")).filter(|_| way != Way::Repeats);
    let after = after.map(|place| place.split_once(',').unwrap());
    let empty = BTreeMap::new();
    let rows = state.rows.get(register).unwrap_or(&empty);
    let follow: Vec<&Value> = rows
        .iter()
        .filter(|((changed_at, id), _)| after.is_none_or(|after| (changed_at.as_str(), id.as_str()) > after))
        .map(|(_, row)| row)
        .collect();
    let mut held: Vec<Value> = follow.iter().take(PAGE).map(|row| (*row).clone()).collect();
    let (mut count, mut remaining) = (held.len(), follow.len() - held.len());
    match way {
        Way::CountsTooMany => count += 1,
        Way::PromisesTooMany => remaining += 1,
        Way::Disorder => held.reverse(),
        Way::OneId => {
            let id = held[0]["id"].clone();
            for row in &mut held {
                row["id"] = id.clone();
            }
        }
        _ => {}
    }
    json!({"count": count, "remaining": remaining, "rows": held})
}
