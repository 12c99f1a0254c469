//! The table of providers, and models that come as JSON.

use postrider::provider::{Model, all, find};

#[test]
fn every_provider_has_a_model_that_can_be_followed() {
    assert!(all().len() >= 144, "{}", all().len());
    for provider in all() {
        provider.model.validate().unwrap_or_else(|it| panic!("{}: {it}", provider.id));
        assert_eq!(find(&provider.id).unwrap().id, provider.id);
        let json = serde_json::to_string(&provider.model).unwrap();
        let again = Model::from_json(&json).unwrap_or_else(|it| panic!("{}: {it}", provider.id));
        assert_eq!(serde_json::to_string(&again).unwrap(), json);
    }
}
