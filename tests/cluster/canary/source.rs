//! A register over HTTP, by the contract of certificates, that holds one certificate of a canary.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifecycle::{Lifecycle, OnDeath};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::person::Canary;

/// The source; what it holds can be said later.
pub struct Source {
    pub url: String,
    rows: Arc<Mutex<Vec<Value>>>,
}

impl Source {
    /// Answers until the test ends.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = Self { url: format!("http://{}/register", listener.local_addr().unwrap()), rows: Arc::default() };
        let rows = Arc::clone(&source.rows);
        Lifecycle::new(Duration::ZERO).spawn("source", OnDeath::StopsTheService, async move {
            while let Ok((stream, _)) = listener.accept().await {
                let rows = rows.lock().unwrap().clone();
                answer(stream, &rows).await;
            }
        });
        source
    }

    /// Has a certificate of the canary from now on.
    pub fn hold(&self, canary: &mut Canary) {
        let number = canary.say("20123200321775961");
        let cells = json!({"证件号码": canary.papers.number, "姓名": canary.papers.name, "证书号码": number,
            "资格种类": "小学教师资格", "任教学科": "语文", "认定机构": "徐州市教育局", "签发日期": "2012-06-15"});
        let row = json!({"id": "00000000-0000-0000-0000-000000000077", "changed_at": "2026-11-01T08:00:00Z",
            "cells": cells});
        self.rows.lock().unwrap().push(row);
    }
}

/// One question, one answer, one connection: all rows on the first page of certificates, nothing elsewhere.
async fn answer(mut stream: TcpStream, rows: &[Value]) {
    let mut request = String::new();
    while !request.contains("\r\n\r\n") {
        let mut bytes = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut bytes).await else { return };
        request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    let asked = request.split(' ').nth(1).unwrap();
    let rows = if asked.starts_with("/register/certificates") && !asked.contains("after=") { rows } else { &[] };
    let body = json!({"count": rows.len(), "remaining": 0, "rows": rows}).to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // Whoever has read enough may be gone.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}
