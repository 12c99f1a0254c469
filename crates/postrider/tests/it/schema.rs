use postrider::api::{
    ApplicationOut, EndpointIn, EndpointPatch, EventTypeIn, ListResponse, MessageIn, MessageOut,
    MessageStatus,
};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

fn schema<T: JsonSchema>() -> Value {
    SchemaGenerator::default().into_root_schema_for::<T>().to_value()
}

#[test]
fn both_names_of_a_field_are_described_and_the_old_one_is_deprecated() {
    for properties in
        [&schema::<EndpointIn>()["properties"], &schema::<EndpointPatch>()["properties"]]
    {
        assert_eq!(properties["eventTypes"]["items"]["type"], "string");
        assert_eq!(properties["filterTypes"]["deprecated"], true);
        assert!(properties["throttleRate"]["description"].is_string());
        assert_eq!(properties["rateLimit"]["deprecated"], true);
    }
    assert_eq!(schema::<EndpointIn>()["required"], Value::Null);
    assert_eq!(schema::<EndpointPatch>()["required"], Value::Null);
    assert_eq!(schema::<EventTypeIn>()["properties"]["featureFlag"]["deprecated"], true);
}

#[test]
fn the_schema_of_a_payload_is_an_object() {
    for schema in [schema::<MessageIn>(), schema::<MessageOut>()] {
        assert_eq!(schema["properties"]["payload"]["type"], "object");
    }
    assert_eq!(schema::<MessageIn>()["required"], json!(["eventType", "payload"]));
}

#[test]
fn times_statuses_and_lists_have_exact_schemas() {
    assert_eq!(schema::<MessageOut>()["properties"]["timestamp"]["format"], "date-time");
    assert_eq!(schema::<MessageStatus>()["enum"], json!([0, 1, 2, 3, 4]));
    assert_eq!(ListResponse::<ApplicationOut>::schema_name(), "ListResponse_ApplicationOut_");
}
