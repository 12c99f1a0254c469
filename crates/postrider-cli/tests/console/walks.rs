//! The walks through the console.

use std::sync::Arc;

use tempfile::TempDir;

use crate::{
    prefix::{Passing, PrefixProxy},
    schema::Schema,
    server::Server,
    walk::Walk,
};

/// Runs a walk in the console of a new server.
async fn check(walk: &str) {
    let server = Server::start();
    Walk::new(walk, &server).await.run(&server).await;
}

#[tokio::test]
async fn a_token_signs_in_and_out() {
    check("sign-in").await;
}

#[tokio::test]
async fn pages_work_without_javascript() {
    check("without-javascript").await;
}

#[tokio::test]
async fn pages_follow_the_theme_of_the_system_and_keep_the_one_that_is_chosen() {
    check("theme").await;
}

/// A console below a path, behind a proxy.
async fn check_prefix(passing: Passing) {
    let mut proxy = PrefixProxy::bind("/hooks").await;
    let server = Server::with_variables(&[("POSTRIDER_PUBLIC_URL", &proxy.url)]);
    proxy.serve(&server.url, passing);
    let walk = Walk::new("prefix", &server).await.with("url", proxy.url.clone());
    walk.run(&server).await;
}

#[tokio::test]
async fn the_console_works_below_a_path_that_the_proxy_strips() {
    check_prefix(Passing::Stripped).await;
}

#[tokio::test]
async fn the_console_works_below_a_path_that_the_proxy_passes_on() {
    check_prefix(Passing::Unchanged).await;
}

/// Every screen of the console or the portal, in one theme.
async fn check_screens(walk: &str, theme: &str) {
    let server = Server::start();
    Walk::new(walk, &server).await.with("theme", theme).run(&server).await;
}

#[tokio::test]
async fn every_screen_is_accessible_at_every_width_in_the_light_theme() {
    check_screens("screens", "light").await;
}

#[tokio::test]
async fn every_screen_is_accessible_in_the_dark_theme() {
    check_screens("screens", "dark").await;
}

#[tokio::test]
async fn the_first_page_needs_few_bytes() {
    check("first-page").await;
}

#[tokio::test]
async fn a_message_that_stops_an_endpoint_is_skipped() {
    check("order").await;
}

#[tokio::test]
async fn a_form_survives_the_end_of_the_session() {
    check("expiry").await;
}

#[tokio::test]
async fn two_people_see_what_happens_at_the_same_time() {
    check("two-browsers").await;
}

#[tokio::test]
async fn a_payload_of_five_megabytes_does_not_slow_its_page_down() {
    let server = Server::with_variables(&[("POSTRIDER_MAX_PAYLOAD", "8MiB")]);
    Walk::new("large-payload", &server).await.run(&server).await;
}

#[tokio::test]
async fn requests_verify_with_both_secrets_after_a_rotation() {
    check("rotation").await;
}

#[tokio::test]
async fn a_filter_and_a_transformation_are_tried_saved_and_applied() {
    check("shaping").await;
}

#[tokio::test]
async fn a_connector_is_created_and_used_by_an_endpoint() {
    check("connectors").await;
}

#[tokio::test]
async fn a_polling_endpoint_shows_its_token_and_its_consumers() {
    check("polling").await;
}

#[tokio::test]
async fn a_scheduled_message_is_moved_and_cancelled() {
    check("schedule").await;
}

#[tokio::test]
async fn a_failure_is_found_understood_and_recovered() {
    check("recovery").await;
}

#[tokio::test]
async fn ten_thousand_deliveries_are_resent_with_progress() {
    check("bulk").await;
}

#[tokio::test]
async fn a_source_is_set_up_and_a_rejection_is_explained() {
    check("source").await;
}

#[tokio::test]
async fn the_portal_works_in_a_page_of_another_site_with_each_capability() {
    check("portal").await;
}

#[tokio::test]
async fn the_portal_works_alone_and_where_browsers_refuse_cookies_in_frames() {
    check("portal-sign-in").await;
}

/// The first steps with the mouse or the keyboard.
async fn check_first_steps(hand: &str) {
    let server = Server::start();
    Walk::new("first-steps", &server).await.with("hand", hand).run(&server).await;
}

#[tokio::test]
async fn the_mouse_is_enough_from_an_empty_folder_to_a_verified_delivery() {
    check_first_steps("mouse").await;
}

#[tokio::test]
async fn the_keyboard_is_enough_from_an_empty_folder_to_a_verified_delivery() {
    check_first_steps("keyboard").await;
}

#[tokio::test]
async fn keys_open_what_they_name_and_can_be_turned_off() {
    check("keys").await;
}

#[tokio::test]
async fn people_who_may_only_read_are_offered_no_actions() {
    check("read-only").await;
}

#[tokio::test]
async fn the_live_view_keeps_up_with_two_hundred_messages_a_second() {
    check("live").await;
}

#[tokio::test]
async fn every_screen_of_the_portal_is_accessible_at_every_width_in_the_light_theme() {
    check_screens("portal-screens", "light").await;
}

#[tokio::test]
async fn every_screen_of_the_portal_is_accessible_in_the_dark_theme() {
    check_screens("portal-screens", "dark").await;
}

#[tokio::test]
async fn a_page_of_one_node_shows_what_happens_on_the_other() {
    let schema = Arc::new(Schema::create());
    // Both nodes have the same secrets.
    let folder = Arc::new(TempDir::new().unwrap());
    let node = Server::on_store(&folder, Some(&schema), &[]);
    let other = Server::on_store(&folder, Some(&schema), &[]);
    let walk = Walk::new("two-nodes", &node).await.with("other", other.url.as_str());
    walk.run(&node).await;
}
