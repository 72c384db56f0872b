//! Turns `errors.json` into `src/errors.rs`. Included by the crate's test and by `cargo xtask codegen`; reads no file.

/// The text of `src/errors.rs` for the entries of `errors.json`.
///
/// # Errors
/// When `json` is not the expected list of objects.
pub(super) fn generate_errors(json: &serde_json::Value) -> Result<String, String> {
    let entries = json.as_array().ok_or("errors.json is no list")?;
    let mut consts = String::new();
    let mut functions = String::new();
    let mut codes = String::new();
    for entry in entries {
        let text = |key: &str| entry[key].as_str().ok_or_else(|| format!("{entry}: no {key}"));
        let number = |key: &str| entry[key].as_u64().ok_or_else(|| format!("{entry}: no {key}"));
        let (constant, description) = (text("constant")?, text("description")?);
        let (code, err_code) = (number("code")?, number("error_code")?);
        let name = snake(constant);
        codes.push_str(&format!("    {err_code},\n"));
        let placeholders = placeholders(description);
        if placeholders.is_empty() {
            consts.push_str(&format!(
                "/// {err_code}: {}\npub const {}: ApiError = ApiError::fixed({code}, {err_code}, {description:?});\n",
                doc(description),
                name.to_uppercase(),
            ));
        } else {
            let arguments: Vec<String> = placeholders
                .iter()
                .map(|p| format!("{p}: impl Display"))
                .collect();
            functions.push_str(&format!(
                "\n/// {err_code}: {}\n#[must_use]\npub fn {name}({}) -> ApiError {{\n    ApiError::made({code}, {err_code}, format!({description:?}))\n}}\n",
                doc(description),
                arguments.join(", "),
            ));
        }
    }
    Ok(format!(
        "//! JetStream error codes with the peer's texts. Generated from `errors.json` by `cargo xtask codegen`; do not edit.\n\nuse std::fmt::Display;\n\nuse crate::error::ApiError;\n\n/// Every error code of the table, ascending by place in the file.\npub const CODES: &[u16] = &[\n{codes}];\n\n{consts}{functions}"
    ))
}

fn doc(description: &str) -> String {
    description.replace('{', "`{").replace('}', "}`")
}

fn placeholders(description: &str) -> Vec<&str> {
    description
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .collect()
}

/// `JSStreamNotFoundErr` to `stream_not_found`.
fn snake(constant: &str) -> String {
    let name = constant.strip_prefix("JS").unwrap_or(constant);
    let name = name
        .strip_suffix("ErrF")
        .or_else(|| name.strip_suffix("Err"))
        .unwrap_or(name);
    let name = name
        .strip_suffix('F')
        .filter(|n| n.ends_with(|c: char| c.is_lowercase()))
        .unwrap_or(name);
    let name = name.strip_suffix("Error").unwrap_or(name);
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (n, c) in chars.iter().enumerate() {
        let before_lower = chars.get(n + 1).is_some_and(|c| c.is_lowercase());
        let after_lower = n > 0 && !chars[n - 1].is_uppercase();
        if c.is_uppercase() && n > 0 && (after_lower || before_lower) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
