//! `Codes`: the code tables of the form.

use proto::applications::v1::codes_server::Codes;
use proto::applications::v1::{self as wire};
use tonic::{Request, Response, Status};

use super::render::int;
use super::request::Parsing;
use crate::domain::codes::{Entry, Origin};
use crate::handle::{CodeTable, Handle};

/// The service.
pub struct CodesApi {
    /// Use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl Codes for CodesApi {
    async fn list_code_tables(
        &self,
        request: Request<wire::ListCodeTablesRequest>,
    ) -> Result<Response<wire::ListCodeTablesResponse>, Status> {
        let tables = self.handle.code_tables(province(&request.get_ref().province)?)?;
        Ok(Response::new(wire::ListCodeTablesResponse { tables: tables.iter().map(table).collect() }))
    }

    async fn get_code_table(
        &self,
        request: Request<wire::GetCodeTableRequest>,
    ) -> Result<Response<wire::GetCodeTableResponse>, Status> {
        let wire::GetCodeTableRequest { name, province: digits, etag } = request.get_ref();
        let found = self.handle.code_table(name, province(digits)?)?;
        let not_modified = found.etag == *etag;
        let entries = found.entries.iter().filter(|_| !not_modified).map(entry).collect();
        Ok(Response::new(wire::GetCodeTableResponse { table: Some(table(&found)), entries, not_modified }))
    }
}

fn province(digits: &str) -> Result<Option<&str>, Status> {
    if digits.is_empty() {
        return Ok(None);
    }
    let mut parsing = Parsing::default();
    parsing.province("province", digits);
    parsing.done()?;
    Ok(Some(digits))
}

fn table(table: &CodeTable) -> wire::CodeTable {
    let (origin, standard) = match &table.about.origin {
        Origin::Standard(standard) => (wire::CodeTableOrigin::Standard, standard.clone()),
        Origin::Field => (wire::CodeTableOrigin::Field, String::new()),
        Origin::Ours => (wire::CodeTableOrigin::Ours, String::new()),
    };
    wire::CodeTable {
        name: table.name.clone(),
        title: table.about.title.clone(),
        version: int(table.version),
        etag: table.etag.clone(),
        origin: origin.into(),
        standard,
        with_province: table.with_province,
    }
}

fn entry(Entry { code, name, group }: &Entry) -> wire::CodeEntry {
    wire::CodeEntry { code: code.clone(), name: name.clone(), group: group.clone() }
}
