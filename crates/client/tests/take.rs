//! The example that takes messages in every way. Has no logic of its own.

mod support;
#[allow(dead_code, reason = "the example's own entry is not used here")]
#[path = "../examples/take.rs"]
mod take;

#[tokio::test]
async fn all_messages_are_taken() {
    let server = support::Server::start();
    let mut said = Vec::new();
    if let Err(stop) = take::walk(&server.url(), &mut said).await {
        panic!("{stop}\n{}", String::from_utf8_lossy(&said));
    }
    let said = String::from_utf8_lossy(&said);
    assert!(said.ends_with("with the function 60\nin order 60\n"), "{said}");
}
