//! Deadlines and conditions.
//! Never pauses for a fixed time: a wait ends when its condition holds or its deadline passes.

use crate::Outcome;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// How often a condition is looked at again.
const PROBE_PERIOD: Duration = Duration::from_millis(10);

/// What a test may take unless it says otherwise.
const TEST_LIMIT: Duration = Duration::from_secs(30);

/// Runs one test to its end, or fails it at the usual deadline.
///
/// # Errors
/// Those of the test, and a passed deadline.
pub fn run<T>(test: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    run_within(TEST_LIMIT, test)
}

/// Runs one test to its end, or fails it at the deadline given.
///
/// # Errors
/// Those of the test, and a passed deadline.
pub fn run_within<T>(limit: Duration, test: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(within("the whole test", limit, test));
    runtime.shutdown_background();
    result
}

/// Waits for a step, or names it as the one that took too long.
///
/// The future is boxed because a test body is large and would otherwise be copied around.
pub fn within<'a, T, F>(
    what: &'a str,
    limit: Duration,
    step: F,
) -> Pin<Box<dyn Future<Output = Outcome<T>> + 'a>>
where
    T: 'a,
    F: Future<Output = Outcome<T>> + 'a,
{
    let step = Box::pin(step);
    Box::pin(async move {
        match tokio::time::timeout(limit, step).await {
            Ok(result) => result,
            Err(_) => Err(format!("{what}: not done after {limit:?}").into()),
        }
    })
}

/// Asks `probe` until it answers with a value, or fails at the deadline.
///
/// # Errors
/// The first error of the probe, or a passed deadline.
pub async fn eventually<T, F, P>(what: &str, limit: Duration, mut probe: P) -> Outcome<T>
where
    P: FnMut() -> F,
    F: Future<Output = Outcome<Option<T>>>,
{
    let search = async {
        let mut ticks = tokio::time::interval(PROBE_PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Some(found) = probe().await? {
                return Ok(found);
            }
        }
    };
    within(what, limit, search).await
}
