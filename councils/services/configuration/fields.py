"""Which columns a configuration document holds. What is not here has its own rule: references, seats, versions, the default council."""

FORMAT = 1

PROVIDER = ("name", "kind", "base_url", "allow_private_address", "api_key_env", "max_parallel_calls", "options", "is_active")
ENDPOINT = ("base_url", "allow_private_address", "max_parallel_calls", "is_active")
MODEL = (
    "label",
    "context_window",
    "max_output_tokens",
    "cost_per_1k_input_tokens",
    "cost_per_1k_output_tokens",
    "structured_mode",
    "options",
    "is_active",
)
COUNCIL = (
    "name",
    "description",
    "is_active",
    "use_cache",
    "enable_peer_review",
    "peer_review_anonymous",
    "voting_system",
    "extra_round",
    "skip_review_when_agreed",
    "chairman_mode",
    "chairman_temperature",
    "chairman_max_tokens",
    "review_max_tokens",
    "top_k",
    "min_models",
    "quorum",
    "soft_deadline_s",
    "stage_deadline_s",
    "run_deadline_s",
)
SEAT = ("name", "persona", "temperature", "max_tokens", "weight", "answers", "reviews")

# Which prompt of a council belongs to which stage.
COUNCIL_PROMPTS = {"stage1_prompt_template": "opinions", "stage2_prompt_template": "review", "stage3_prompt_template": "synthesis"}
