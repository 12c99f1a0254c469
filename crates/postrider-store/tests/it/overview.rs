//! The overview contract.

use postrider_core::{
    breaker::BreakerState, catalog::Endpoint, delivery::Settlement, lane_state::LaneState,
    retry::Verdict,
};
use postrider_store::{
    EndpointCounts, EndpointPlace, EndpointRow, EndpointTotals, Expected, Hold, Maintenance,
    Overview, Records, Store,
};

use crate::{
    fixture::{self, *},
    store_tests,
};

const fn place(application: u64, endpoint: u64) -> EndpointPlace {
    EndpointPlace { application: application_id(application), endpoint: endpoint_id(endpoint) }
}

async fn places(
    store: &dyn Store,
    after: Option<EndpointPlace>,
    limit: usize,
) -> Vec<EndpointPlace> {
    let rows = store.endpoints(organization(), after, limit).await.unwrap();
    rows.iter().map(EndpointRow::place).collect()
}

store_tests! {
    async fn the_endpoints_of_all_applications_are_listed_in_order(store) {
        let all = [place(1, 1), place(1, 2), place(1, 3), place(2, 4)];
        assert_eq!(places(store, None, 9).await, all);
        assert_eq!(places(store, None, 2).await, all[..2]);
        assert_eq!(places(store, Some(all[1]), 9).await, all[2..]);
        assert_eq!(places(store, Some(all[2]), 9).await, all[3..]);
        assert_eq!(places(store, Some(all[3]), 9).await, []);
        let other = "org_other".parse().unwrap();
        assert_eq!(store.endpoints(other, None, 9).await.unwrap(), []);
    }

    async fn a_failing_endpoint_is_listed_as_such(store) {
        store.append(vec![leased(1, &[2])]).await.unwrap();
        let failed = settlement(1, fresh(2, 1), 500, Verdict::RetryAt(at(9)));
        let since = Some(Some(at(5)));
        settle(store, vec![Settlement { failing_since: since, ..failed }])
            .await;
        let rows = store.endpoints(organization(), None, 9).await.unwrap();
        let failing: Vec<_> = rows.iter().map(|row| row.failing_since).collect();
        assert_eq!(failing, [None, Some(at(5)), None, None]);
    }

    async fn endpoints_are_counted(store) {
        disable(store, 2, true).await;
        let other = Endpoint { application: application_id(2), disabled: true, ..endpoint(4) };
        store.save(&other, Expected::Any).await.unwrap();
        let counts = store.count_endpoints(organization()).await.unwrap();
        let expected =
            EndpointCounts { enabled: 2, disabled: 2, applications: 2, active_applications: 1 };
        assert_eq!(counts, expected);
        let paused = Endpoint { paused: true, ..endpoint(5) };
        store.save(&paused, Expected::Any).await.unwrap();
        let totals = store.endpoint_totals().await.unwrap();
        assert_eq!(totals, EndpointTotals { enabled: 2, paused: 1, disabled: 2 });
    }

    async fn pending_deliveries_are_counted_up_to_a_limit(store) {
        store.append(vec![leased(1, &[1]), free(2, &[1]), free(3, &[1])]).await.unwrap();
        store.append(vec![new(message(4), &[2], Hold::Free(at(70)))]).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        let of = vec![place(1, 1), place(1, 2), place(1, 3)];
        let queued = store.queued(of.clone(), 9).await.unwrap();
        let pending: Vec<_> = queued.iter().map(|it| it.pending).collect();
        assert_eq!(pending, [2, 1, 0]);
        assert_eq!((queued[1].oldest_due, queued[2].oldest_due), (Some(at(70)), None));
        let limited = store.queued(of, 1).await.unwrap();
        assert_eq!(limited[0].pending, 1);
    }

    async fn the_only_node_is_listed(store) {
        let nodes = store.nodes().await.unwrap();
        assert_eq!(nodes.iter().map(|it| it.is_own).collect::<Vec<_>>(), [true]);
        store.space().await.unwrap();
    }

    async fn what_a_node_publishes_is_not_returned_to_itself(store) {
        let lane = LaneState {
            application: application_id(1),
            endpoint: endpoint_id(1),
            breaker: BreakerState::Closed,
            failing_since: None,
            held: 1,
            in_flight: 1,
            throttled_until: None,
        };
        for lanes in [vec![lane], vec![lane], Vec::new()] {
            store.publish_lanes(lanes).await.unwrap();
            assert_eq!(store.published_lanes(vec![place(1, 1)]).await.unwrap(), []);
        }
    }
}

/// Nodes of one database know of each other's lanes.
#[tokio::test]
async fn another_node_finds_what_a_node_published() {
    let schema = crate::schema::Schema::create().await;
    let (first, second) = (schema.open().await, schema.open().await);
    set_up(&first).await;
    let lane = |endpoint, breaker| LaneState {
        application: application_id(1),
        endpoint: endpoint_id(endpoint),
        breaker,
        failing_since: Some(at(1)),
        held: 3,
        in_flight: 2,
        throttled_until: Some(at(9)),
    };
    let lanes = [
        lane(1, BreakerState::Closed),
        lane(2, BreakerState::Open { since: at(2), probe_at: at(5) }),
        lane(3, BreakerState::Probing { since: at(2) }),
    ];
    first.publish_lanes(lanes.to_vec()).await.unwrap();
    let asked = || vec![place(1, 1), place(1, 2), place(1, 3), place(2, 4)];
    let mut found = second.published_lanes(asked()).await.unwrap();
    found.sort_by_key(|(_, lane)| lane.endpoint);
    assert_eq!(found.iter().map(|(_, lane)| *lane).collect::<Vec<_>>(), lanes);
    assert_eq!(second.nodes().await.unwrap().len(), 2);
    first.publish_lanes(lanes[..1].to_vec()).await.unwrap();
    assert_eq!(second.published_lanes(asked()).await.unwrap().len(), 1);
    first.close().await.unwrap();
    assert_eq!(second.published_lanes(asked()).await.unwrap(), []);
    second.close().await.unwrap();
    schema.remove().await;
}
