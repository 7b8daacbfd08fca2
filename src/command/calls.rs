//! `call` and `methods`

use std::process::ExitCode;

use super::{CmdError, CmdResult, Ctx};
use crate::{
    cli::{CallArgs, MethodsArgs},
    input::arguments,
    net::rpc::object::METHODS,
    value::{Value, signature::Signature},
};

pub(super) fn call(ctx: &Ctx<'_>, call: &CallArgs) -> CmdResult {
    let args: Vec<Value> = call
        .args
        .iter()
        .map(|arg| arguments::parse_value(arg))
        .collect();
    let named = call.named.iter().map(|text| {
        let error = || {
            CmdError::usage(format!(
                "`{text}` is not a named argument; write name=value"
            ))
        };
        let (name, value) = text.split_once('=').ok_or_else(error)?;
        Ok((name.to_owned(), arguments::parse_value(value)))
    });
    let named = named.collect::<Result<Vec<_>, CmdError>>()?;
    let called = ctx.with_session(|session| async move {
        let node = session.handle();
        let called = node.call_by_name(&call.name, &call.method, args, named);
        let called = called.await.map_err(CmdError::from);
        (session, called)
    })?;
    let mut out = ctx.output();
    if out.json {
        out.document(&called.value.to_json())?;
    } else {
        match &called.value {
            Value::Str(text) => out.line(text)?,
            other => out.line(&other.to_string())?,
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn methods(ctx: &Ctx<'_>, methods: &MethodsArgs) -> CmdResult {
    let listed = ctx.with_session(|session| async move {
        let node = session.handle();
        let called = node.call_by_name(&methods.name, METHODS, vec![], vec![]);
        let listed = called.await.map_err(CmdError::from).and_then(|called| {
            let listed: Result<Vec<Signature>, _> = called.value.to_typed();
            listed.map_err(CmdError::failed)
        });
        (session, listed)
    })?;
    let mut out = ctx.output();
    if out.json {
        out.document(&listed)?;
    } else {
        let row = |method: &Signature| vec![method.to_string(), method.doc.clone()];
        let rows: Vec<_> = listed.iter().map(row).collect();
        out.table(&["METHOD", "DESCRIPTION"], &rows, "no methods")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
