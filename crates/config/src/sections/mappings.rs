//! `mappings { src: dest }` and `src: [ {destination, weight, cluster} ]`.

use natterjack_conf::{Kind, Value};
use natterjack_subject::is_valid_subject;
use natterjack_subject::transform::{Mapping, MappingError};

use crate::walk::Findings;

/// Reads a mappings block.
pub(crate) fn read(value: &Value, f: &mut Findings) -> Vec<Mapping> {
    let mut mappings = Vec::new();
    let Some(map) = value.as_map() else {
        f.mismatch(value, "map[string]interface {}");
        return mappings;
    };
    let block = value;
    for (source, value) in map {
        if !is_valid_subject(source.as_bytes()) {
            f.error(block, format!("Subject {source:?} is not a valid subject"));
            continue;
        }
        let destinations = match &value.kind {
            Kind::Text(destination) => Some(vec![(destination.clone(), 100, String::new())]),
            Kind::List(items) => items.iter().map(|item| destination(item, f)).collect(),
            Kind::Map(_) => destination(value, f).map(|d| vec![d]),
            _ => {
                f.error(value, "Expected an entry for the mapping destination");
                None
            }
        };
        let Some(destinations) = destinations else {
            continue;
        };
        match Mapping::new(source, &destinations) {
            Ok(mapping) => mappings.push(mapping),
            Err(MappingError::Transform(error)) => {
                let destination = &destinations.first().map(|d| d.0.as_str()).unwrap_or_default();
                f.error(
                    value,
                    format!("Error adding mapping for {source:?} to {destination:?} : {error}"),
                );
            }
            Err(error) => f.error(value, format!("Error adding mapping for {source:?} : {error}")),
        }
    }
    mappings
}

fn destination(value: &Value, f: &mut Findings) -> Option<(String, u8, String)> {
    let Some(map) = value.as_map() else {
        f.error(value, "Expected an entry for the mapping destination");
        return None;
    };
    let (mut destination, mut weight, mut cluster) = (String::new(), None, String::new());
    let mut whole = true;
    f.framed(value, |f| {
        for (name, value) in map {
            match name.to_lowercase().as_str() {
                "dest" | "destination" => whole &= f.text(value).map(|text| destination = text).is_some(),
                "weight" => {
                    weight = percent(value, f);
                    whole &= weight.is_some();
                }
                "cluster" => whole &= f.text(value).map(|text| cluster = text).is_some(),
                _ => {
                    f.error(value, format!("Unknown field {name:?} for mapping destination"));
                    whole = false;
                }
            }
        }
    });
    if !whole {
        return None;
    }
    let Some(weight) = weight else {
        f.error(
            value,
            format!("Missing weight for mapping destination {destination:?}"),
        );
        return None;
    };
    Some((destination, weight, cluster))
}

fn percent(value: &Value, f: &mut Findings) -> Option<u8> {
    let weight = match &value.kind {
        Kind::Integer(n) => Some(*n),
        Kind::Text(text) => text.trim_end_matches('%').parse().ok(),
        _ => {
            let text = format!("Unknown entry type for weight of {}", value.go_value());
            f.error(value, text);
            return None;
        }
    };
    match weight {
        Some(n @ 0..=100) => u8::try_from(n).ok(),
        Some(n) => {
            f.error(value, format!("Invalid weight {n} for mapping destination"));
            None
        }
        None => {
            let shown = value.as_text().unwrap_or_default().trim_end_matches('%');
            f.error(value, format!("Invalid weight {shown:?} for mapping destination"));
            None
        }
    }
}
