//! How much work a message makes: counted in consumers looked at, never in time.

use natterjack_jsapi::consumer::ConsumerConfig;

use super::{SECOND, World};

/// Adds consumers that no message of the tests is for, without the log, which would sync for each.
fn bystanders(world: &mut World, count: u32) {
    for n in 0..count {
        let config = ConsumerConfig {
            durable_name: format!("other{n}"),
            filter_subject: format!("s.other.{n}.>"),
            ..ConsumerConfig::default()
        };
        let (consumers, stream) = (&mut world.group.consumers, &mut world.group.stream);
        let (name, store) = (config.durable_name.clone(), stream.store.as_mut());
        let created = consumers.prepare(name, config, &stream.config, store, world.now);
        consumers.apply_create(&created, store, world.now);
    }
}

/// Consumers looked at while a message is published, delivered, acknowledged and removed, and nothing else happens for a
/// while, beside so many that have nothing to do with it.
fn looks(count: u32) -> [u64; 4] {
    let mut world = World::new(|_| {});
    let id = world.consumer("c", |c| c.filter_subject = "s.mine".into());
    bystanders(&mut world, count);
    world.settle();
    world.pull(id, "2");
    let mut seen = world.group.consumers.looks;
    let mut since = |world: &World| {
        let new = world.group.consumers.looks - seen;
        seen += new;
        new
    };
    world.publish("s.mine", "1");
    assert_eq!(world.take_deliveries(), ["1"]);
    let published = since(&world);
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "+ACK");
    let acknowledged = since(&world);
    world.command(crate::Command::Delete { seq: 1, erase: false });
    let removed = since(&world);
    for _ in 0..10 {
        world.pass(SECOND / 10);
    }
    [published, acknowledged, removed, since(&world)]
}

#[test]
fn a_message_costs_the_same_beside_ten_and_ten_thousand_other_consumers() {
    let few = looks(10);
    assert!(few[0] >= 2, "it is found, and delivers: {few:?}");
    assert_eq!(few, looks(10_000));
}
