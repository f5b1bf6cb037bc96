import councils.models.base
import councils.models.options
import councils.models.council
import councils.models.provider
import django.contrib.auth.models
import django.contrib.auth.validators
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="CouncilConfiguration",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(max_length=100)),
                ("slug", models.SlugField(max_length=60, unique=True)),
                (
                    "description",
                    models.TextField(blank=True, help_text="What this council is good for. People read it when they choose one."),
                ),
                ("is_default", models.BooleanField(default=False, help_text="Chosen for people who do not choose.")),
                ("is_active", models.BooleanField(default=True)),
                ("archived_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("enable_peer_review", models.BooleanField(default=councils.models.council.default_peer_review)),
                (
                    "peer_review_anonymous",
                    models.BooleanField(default=councils.models.council.default_anonymous, verbose_name="anonymous review"),
                ),
                (
                    "voting_system",
                    models.CharField(
                        choices=[
                            ("ranked_choice", "Ranked choice (instant run-off)"),
                            ("weighted", "Weighted scores"),
                            ("consensus", "Consensus"),
                        ],
                        default=councils.models.council.default_voting_system,
                        max_length=20,
                    ),
                ),
                (
                    "extra_round",
                    models.BooleanField(default=False, help_text="Consensus only: one more round when the first reaches none."),
                ),
                (
                    "skip_review_when_agreed",
                    models.BooleanField(default=False, help_text="Skip the review when all give the same short answer."),
                ),
                (
                    "chairman_mode",
                    models.CharField(
                        choices=[
                            ("hybrid", "Hybrid: edit the winner or combine, as the votes suggest"),
                            ("synthesize", "Synthesize: write a new answer"),
                            ("select_best", "Select best: the winner's words unchanged"),
                        ],
                        default="hybrid",
                        max_length=20,
                    ),
                ),
                (
                    "chairman_temperature",
                    models.FloatField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(2)],
                    ),
                ),
                ("chairman_max_tokens", models.PositiveIntegerField(blank=True, null=True)),
                ("review_max_tokens", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "top_k",
                    models.PositiveSmallIntegerField(
                        default=3, validators=[django.core.validators.MinValueValidator(1)], verbose_name="answers for the chairman"
                    ),
                ),
                (
                    "min_models",
                    models.PositiveSmallIntegerField(
                        default=councils.models.council.default_min_models, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                (
                    "quorum",
                    models.PositiveSmallIntegerField(
                        default=2, help_text="Opinions needed to go on.", validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                (
                    "soft_deadline_s",
                    models.PositiveIntegerField(
                        default=10, help_text="Nobody is called late before this.", verbose_name="soft deadline (s)"
                    ),
                ),
                (
                    "stage_deadline_s",
                    models.PositiveIntegerField(
                        default=120, validators=[django.core.validators.MinValueValidator(1)], verbose_name="stage deadline (s)"
                    ),
                ),
                (
                    "run_deadline_s",
                    models.PositiveIntegerField(
                        default=councils.models.council.default_run_deadline,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="run deadline (s)",
                    ),
                ),
            ],
            options={
                "verbose_name": "council",
                "ordering": ["-is_default", "name"],
            },
        ),
        migrations.CreateModel(
            name="ModelInfo",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(help_text="The provider's own name for it.", max_length=200, verbose_name="model name")),
                ("label", models.CharField(blank=True, help_text="What people see. Empty: the model name.", max_length=100)),
                ("context_window", models.PositiveIntegerField(blank=True, null=True, verbose_name="context window (tokens)")),
                ("max_output_tokens", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "cost_per_1k_input_tokens",
                    models.DecimalField(
                        blank=True,
                        decimal_places=8,
                        max_digits=14,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                        verbose_name="USD per 1,000 input tokens",
                    ),
                ),
                (
                    "cost_per_1k_output_tokens",
                    models.DecimalField(
                        blank=True,
                        decimal_places=8,
                        max_digits=14,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                        verbose_name="USD per 1,000 output tokens",
                    ),
                ),
                (
                    "structured_mode",
                    models.CharField(
                        choices=[("json_schema", "json_schema"), ("json_object", "json_object"), ("plain", "plain")],
                        default="json_schema",
                        help_text="The strongest way in which this model gives JSON. Lowered by itself when the provider refuses it.",
                        max_length=20,
                        verbose_name="structured output",
                    ),
                ),
                (
                    "options",
                    councils.models.options.OptionsField(
                        blank=True, default=dict, help_text="Switches of this model, see docs/configuration.md."
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
            ],
            options={
                "verbose_name": "model",
                "ordering": ["provider__name", "name"],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                ("first_name", models.CharField(blank=True, max_length=150, verbose_name="first name")),
                ("last_name", models.CharField(blank=True, max_length=150, verbose_name="last name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="email address")),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False, help_text="Designates whether the user can log into this admin site.", verbose_name="staff status"
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now, verbose_name="date joined")),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "db_table": "councils_user",
                "abstract": False,
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(default=councils.models.base.new_public_id, editable=False, max_length=26, unique=True)),
                ("name", models.CharField(help_text="What uses this key, so that you know what stops when you revoke it.", max_length=100)),
                ("prefix", models.CharField(editable=False, max_length=12)),
                ("key_hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="api_keys", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "verbose_name": "API key",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="Conversation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(default=councils.models.base.new_public_id, editable=False, max_length=26, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("title", models.CharField(blank=True, max_length=200)),
                (
                    "type",
                    models.CharField(choices=[("council", "Council"), ("individual", "Individual")], default="council", max_length=20),
                ),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="conversations", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "council",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="conversations",
                        to="councils.councilconfiguration",
                    ),
                ),
            ],
            options={
                "ordering": ["-updated_at"],
            },
        ),
        migrations.CreateModel(
            name="Budget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period", models.CharField(choices=[("day", "Day"), ("month", "Month")], default="month", max_length=10)),
                (
                    "limit_usd",
                    models.DecimalField(
                        decimal_places=4, max_digits=14, validators=[django.core.validators.MinValueValidator(Decimal("0"))]
                    ),
                ),
                (
                    "at_limit",
                    models.CharField(
                        choices=[("refuse", "Refuse"), ("partial", "Finish with what is there")], default="refuse", max_length=10
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="budgets",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "council",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="budgets",
                        to="councils.councilconfiguration",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="CouncilRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(default=councils.models.base.new_public_id, editable=False, max_length=26, unique=True)),
                ("council_name", models.CharField(max_length=100)),
                (
                    "origin",
                    models.CharField(choices=[("web", "Page"), ("api", "API"), ("cli", "Command line")], default="web", max_length=10),
                ),
                ("config_snapshot", models.JSONField()),
                ("sealed_keys", models.JSONField(blank=True, default=dict, editable=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("running", "running"),
                            ("succeeded", "succeeded"),
                            ("partial", "partial"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                        ],
                        default="queued",
                        max_length=12,
                    ),
                ),
                ("reason", models.TextField(blank=True, help_text="One sentence for people: how the run ended.")),
                ("marks", models.JSONField(blank=True, default=list)),
                ("answer", models.TextField(blank=True)),
                ("answer_by", models.CharField(blank=True, help_text="chairman, or the seat whose answer it is.", max_length=32)),
                ("consensus_score", models.FloatField(blank=True, null=True)),
                ("epoch", models.PositiveIntegerField(default=0)),
                ("heartbeat", models.PositiveBigIntegerField(default=0)),
                ("worker", models.CharField(blank=True, max_length=100)),
                ("barren_deaths", models.PositiveSmallIntegerField(default=0)),
                ("elapsed_ms", models.PositiveBigIntegerField(default=0)),
                ("next_seq", models.PositiveIntegerField(default=1)),
                ("idempotency_key", models.CharField(blank=True, max_length=200, null=True)),
                ("request_hash", models.CharField(blank=True, editable=False, max_length=64)),
                ("prompt_tokens", models.PositiveBigIntegerField(default=0)),
                ("completion_tokens", models.PositiveBigIntegerField(default=0)),
                ("known_cost_usd", models.DecimalField(decimal_places=8, default=Decimal("0"), max_digits=16)),
                ("unknown_costs", models.PositiveIntegerField(default=0, help_text="Calls whose cost is not known.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "cancelled_by",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "conversation",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="runs", to="councils.conversation"),
                ),
                (
                    "council",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="runs",
                        to="councils.councilconfiguration",
                    ),
                ),
                ("owner", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="runs", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "verbose_name": "run",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(default=councils.models.base.new_public_id, editable=False, max_length=26, unique=True)),
                ("role", models.CharField(choices=[("user", "User"), ("assistant", "Assistant")], max_length=20)),
                ("text", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "conversation",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="messages", to="councils.conversation"),
                ),
                (
                    "run",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="answers", to="councils.councilrun"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddField(
            model_name="councilrun",
            name="message",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="deliberations", to="councils.message"),
        ),
        migrations.CreateModel(
            name="ModelCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(default=councils.models.base.new_public_id, editable=False, max_length=26, unique=True)),
                ("attempt", models.PositiveSmallIntegerField()),
                ("epoch", models.PositiveIntegerField()),
                ("model_name", models.CharField(max_length=200)),
                ("provider_name", models.CharField(max_length=100)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("sending", "sending"),
                            ("done", "done"),
                            ("refused", "refused"),
                            ("broken", "broken"),
                            ("orphaned", "orphaned"),
                            ("cancelled", "cancelled"),
                        ],
                        default="sending",
                        max_length=12,
                    ),
                ),
                ("substituted", models.BooleanField(default=False)),
                ("structured_mode", models.CharField(blank=True, max_length=20)),
                ("reported_model", models.CharField(blank=True, max_length=200)),
                ("finish_reason", models.CharField(blank=True, max_length=20)),
                ("prompt_tokens", models.PositiveIntegerField(blank=True, null=True)),
                ("completion_tokens", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "usage_source",
                    models.CharField(blank=True, choices=[("reported", "reported"), ("estimated", "estimated")], max_length=10),
                ),
                ("input_price", models.DecimalField(blank=True, decimal_places=8, max_digits=14, null=True)),
                ("output_price", models.DecimalField(blank=True, decimal_places=8, max_digits=14, null=True)),
                ("cost_usd", models.DecimalField(blank=True, decimal_places=8, max_digits=16, null=True)),
                ("error_kind", models.CharField(blank=True, max_length=40)),
                ("error_detail", models.TextField(blank=True)),
                ("latency_ms", models.PositiveIntegerField(blank=True, null=True)),
                ("first_token_ms", models.PositiveIntegerField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("run", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="calls", to="councils.councilrun")),
                (
                    "model",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="calls", to="councils.modelinfo"
                    ),
                ),
            ],
            options={
                "verbose_name": "call",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(max_length=64)),
                (
                    "kind",
                    models.CharField(
                        choices=[("reserved", "Reserved"), ("released", "Released"), ("charged", "Charged"), ("corrected", "Corrected")],
                        max_length=10,
                    ),
                ),
                ("amount_usd", models.DecimalField(blank=True, decimal_places=8, max_digits=16, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("call", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="entries", to="councils.modelcall")),
            ],
            options={
                "verbose_name_plural": "ledger entries",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="CouncilMember",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "agent_id",
                    models.CharField(
                        max_length=32,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z][a-z0-9_]{0,31}\\Z", "Use lower-case letters, digits and underscores, for instance agent_1."
                            )
                        ],
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("name", models.CharField(help_text="What people see on the card, for instance Skeptic.", max_length=60)),
                ("persona", models.TextField(blank=True, help_text="System prompt of this seat.")),
                (
                    "temperature",
                    models.FloatField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(2)],
                    ),
                ),
                (
                    "max_tokens",
                    models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)]),
                ),
                (
                    "weight",
                    models.DecimalField(
                        decimal_places=2,
                        default=Decimal("1"),
                        max_digits=5,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                    ),
                ),
                ("answers", models.BooleanField(default=True, help_text="Gives an opinion.")),
                ("reviews", models.BooleanField(default=True, help_text="Reviews the opinions of the others.")),
                (
                    "council",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="members", to="councils.councilconfiguration"
                    ),
                ),
                (
                    "fallback_model",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fallback_seats",
                        to="councils.modelinfo",
                    ),
                ),
                ("model", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="seats", to="councils.modelinfo")),
            ],
            options={
                "verbose_name": "seat",
                "ordering": ["position", "pk"],
            },
        ),
        migrations.AddField(
            model_name="councilconfiguration",
            name="chairman_model",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="chaired_councils", to="councils.modelinfo"),
        ),
        migrations.CreateModel(
            name="ChairmanFallback",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "council",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="chairman_fallbacks", to="councils.councilconfiguration"
                    ),
                ),
                ("model", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="councils.modelinfo")),
            ],
            options={
                "ordering": ["position", "pk"],
            },
        ),
        migrations.CreateModel(
            name="PromptTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "stage",
                    models.CharField(
                        choices=[("opinions", "1 · Opinions"), ("review", "2 · Review"), ("synthesis", "3 · Synthesis")], max_length=20
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("version", models.PositiveIntegerField(editable=False)),
                ("text", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["stage", "name", "-version"],
                "constraints": [
                    models.UniqueConstraint(fields=("stage", "name", "version"), name="prompt_version_unique"),
                    models.CheckConstraint(condition=models.Q(("version__gte", 1)), name="prompt_version_from_one"),
                    models.CheckConstraint(
                        condition=models.Q(("stage__in", ["opinions", "review", "synthesis"])), name="prompt_stage_known"
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="councilconfiguration",
            name="stage1_prompt_template",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: the built-in prompt.",
                limit_choices_to={"stage": "opinions"},
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="councils.prompttemplate",
            ),
        ),
        migrations.AddField(
            model_name="councilconfiguration",
            name="stage2_prompt_template",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: the built-in prompt.",
                limit_choices_to={"stage": "review"},
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="councils.prompttemplate",
            ),
        ),
        migrations.AddField(
            model_name="councilconfiguration",
            name="stage3_prompt_template",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: the built-in prompt.",
                limit_choices_to={"stage": "synthesis"},
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="councils.prompttemplate",
            ),
        ),
        migrations.CreateModel(
            name="Provider",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("slug", models.SlugField(help_text="Short name used in configuration files and metrics.", max_length=60, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("openai", "OpenAI-compatible"), ("ollama", "Ollama"), ("anthropic", "Anthropic")], max_length=20
                    ),
                ),
                (
                    "base_url",
                    models.CharField(
                        help_text="For instance https://api.openai.com/v1.",
                        max_length=500,
                        validators=[councils.models.provider.validate_base_url],
                        verbose_name="base address",
                    ),
                ),
                (
                    "allow_private_address",
                    models.BooleanField(
                        default=False,
                        help_text="Let the server contact this host although its address is private, for instance a model on this machine.",
                    ),
                ),
                (
                    "api_key_env",
                    models.CharField(
                        blank=True,
                        help_text="Name of an environment variable.",
                        max_length=100,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Z][A-Z0-9_]*_(API_KEY|API_TOKEN)\\Z",
                                "Name an environment variable that ends in _API_KEY or _API_TOKEN.",
                            )
                        ],
                        verbose_name="key from environment",
                    ),
                ),
                ("api_key_sealed", models.TextField(blank=True, editable=False)),
                (
                    "max_parallel_calls",
                    models.PositiveIntegerField(
                        default=32,
                        help_text="Calls that each server process may have open at once.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "options",
                    councils.models.options.OptionsField(
                        blank=True, default=dict, help_text="Dialect switches, see docs/configuration.md."
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("kind__in", ["openai", "ollama", "anthropic"])), name="provider_kind_known"),
                    models.CheckConstraint(condition=models.Q(("max_parallel_calls__gte", 1)), name="provider_max_parallel_positive"),
                ],
            },
        ),
        migrations.AddField(
            model_name="modelinfo",
            name="provider",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="served_models", to="councils.provider"),
        ),
        migrations.CreateModel(
            name="RunEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.PositiveIntegerField()),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("run_queued", "run_queued"),
                            ("run_started", "run_started"),
                            ("run_resumed", "run_resumed"),
                            ("call_started", "call_started"),
                            ("call_failed", "call_failed"),
                            ("opinion_completed", "opinion_completed"),
                            ("opinion_failed", "opinion_failed"),
                            ("ballot_counted", "ballot_counted"),
                            ("ballot_rejected", "ballot_rejected"),
                            ("ballot_failed", "ballot_failed"),
                            ("step_late", "step_late"),
                            ("tally_computed", "tally_computed"),
                            ("synthesis_completed", "synthesis_completed"),
                            ("synthesis_failed", "synthesis_failed"),
                            ("run_finished", "run_finished"),
                        ],
                        max_length=32,
                    ),
                ),
                ("payload", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("run", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="events", to="councils.councilrun")),
            ],
            options={
                "verbose_name": "event",
                "ordering": ["run", "seq"],
            },
        ),
        migrations.CreateModel(
            name="RunStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64)),
                (
                    "stage",
                    models.CharField(choices=[("opinions", "opinions"), ("review", "review"), ("synthesis", "synthesis")], max_length=12),
                ),
                ("agent_id", models.CharField(blank=True, max_length=32)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("running", "running"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("invalid", "invalid"),
                            ("late", "late"),
                            ("late_done", "late_done"),
                            ("cancelled", "cancelled"),
                        ],
                        default="running",
                        max_length=12,
                    ),
                ),
                ("text", models.TextField(blank=True)),
                ("payload", models.JSONField(blank=True, default=dict)),
                ("model_name", models.CharField(blank=True, help_text="The model that gave the result.", max_length=200)),
                ("substituted", models.BooleanField(default=False)),
                ("error_kind", models.CharField(blank=True, max_length=40)),
                ("error_message", models.TextField(blank=True)),
                ("finish_reason", models.CharField(blank=True, max_length=20)),
                ("latency_ms", models.PositiveIntegerField(blank=True, null=True)),
                ("started_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("run", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="steps", to="councils.councilrun")),
            ],
            options={
                "verbose_name": "step",
                "ordering": ["pk"],
            },
        ),
        migrations.AddField(
            model_name="modelcall",
            name="step",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="calls", to="councils.runstep"),
        ),
        migrations.CreateModel(
            name="Opinion",
            fields=[],
            options={
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("councils.runstep",),
        ),
        migrations.CreateModel(
            name="Review",
            fields=[],
            options={
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("councils.runstep",),
        ),
        migrations.CreateModel(
            name="Synthesis",
            fields=[],
            options={
                "verbose_name_plural": "syntheses",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("councils.runstep",),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["owner", "deleted_at", "-updated_at"], name="conversation_owner_recent"),
        ),
        migrations.AddConstraint(
            model_name="conversation",
            constraint=models.CheckConstraint(condition=models.Q(("type__in", ["council", "individual"])), name="conversation_type_known"),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(("user", None), ("council", None), _connector="OR"), name="budget_one_scope"
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(condition=models.Q(("limit_usd__gte", 0)), name="budget_not_negative"),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.UniqueConstraint(
                condition=models.Q(("user__isnull", False)), fields=("user", "period"), name="budget_unique_user"
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.UniqueConstraint(
                condition=models.Q(("council__isnull", False)), fields=("council", "period"), name="budget_unique_council"
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.UniqueConstraint(
                condition=models.Q(("council", None), ("user", None)), fields=("period",), name="budget_unique_global"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["conversation", "id"], name="message_in_conversation"),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(condition=models.Q(("role__in", ["user", "assistant"])), name="message_role_known"),
        ),
        migrations.AddIndex(
            model_name="councilrun",
            index=models.Index(fields=["owner", "-created_at"], name="run_owner_recent"),
        ),
        migrations.AddIndex(
            model_name="councilrun",
            index=models.Index(fields=["conversation", "id"], name="run_in_conversation"),
        ),
        migrations.AddIndex(
            model_name="councilrun",
            index=models.Index(condition=models.Q(("status__in", ("queued", "running"))), fields=["status"], name="run_live"),
        ),
        migrations.AddIndex(
            model_name="councilrun",
            index=models.Index(fields=["-created_at"], name="run_recent"),
        ),
        migrations.AddConstraint(
            model_name="councilrun",
            constraint=models.UniqueConstraint(fields=("owner", "idempotency_key"), name="run_idempotency_key_unique"),
        ),
        migrations.AddConstraint(
            model_name="councilrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["queued", "running", "succeeded", "partial", "failed", "cancelled"])),
                name="run_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="councilrun",
            constraint=models.CheckConstraint(condition=models.Q(("known_cost_usd__gte", 0)), name="run_cost_not_negative"),
        ),
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(fields=["account", "-created_at"], name="ledger_by_account"),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.UniqueConstraint(fields=("call", "account", "kind"), name="ledger_entry_unique"),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["reserved", "released", "charged", "corrected"])), name="ledger_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="councilmember",
            constraint=models.UniqueConstraint(fields=("council", "agent_id"), name="member_agent_unique"),
        ),
        migrations.AddConstraint(
            model_name="councilmember",
            constraint=models.CheckConstraint(condition=models.Q(("weight__gt", 0)), name="member_weight_positive"),
        ),
        migrations.AddConstraint(
            model_name="councilmember",
            constraint=models.CheckConstraint(
                condition=models.Q(("answers", True), ("reviews", True), _connector="OR"), name="member_has_a_duty"
            ),
        ),
        migrations.AddConstraint(
            model_name="chairmanfallback",
            constraint=models.UniqueConstraint(fields=("council", "model"), name="chairman_fallback_unique"),
        ),
        migrations.AddConstraint(
            model_name="councilconfiguration",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)), fields=("is_default",), name="council_one_default"
            ),
        ),
        migrations.AddConstraint(
            model_name="councilconfiguration",
            constraint=models.CheckConstraint(condition=models.Q(("quorum__gte", 1)), name="council_quorum_positive"),
        ),
        migrations.AddConstraint(
            model_name="councilconfiguration",
            constraint=models.CheckConstraint(condition=models.Q(("min_models__gte", 1)), name="council_min_models_positive"),
        ),
        migrations.AddConstraint(
            model_name="councilconfiguration",
            constraint=models.CheckConstraint(
                condition=models.Q(("voting_system__in", ["ranked_choice", "weighted", "consensus"])), name="council_voting_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="councilconfiguration",
            constraint=models.CheckConstraint(
                condition=models.Q(("chairman_mode__in", ["hybrid", "synthesize", "select_best"])), name="council_chairman_mode_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="modelinfo",
            constraint=models.UniqueConstraint(fields=("provider", "name"), name="model_unique_per_provider"),
        ),
        migrations.AddConstraint(
            model_name="modelinfo",
            constraint=models.CheckConstraint(
                condition=models.Q(("cost_per_1k_input_tokens", None), ("cost_per_1k_input_tokens__gte", 0), _connector="OR"),
                name="model_input_price_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelinfo",
            constraint=models.CheckConstraint(
                condition=models.Q(("cost_per_1k_output_tokens", None), ("cost_per_1k_output_tokens__gte", 0), _connector="OR"),
                name="model_output_price_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelinfo",
            constraint=models.CheckConstraint(
                condition=models.Q(("structured_mode__in", ["json_schema", "json_object", "plain"])), name="model_structured_mode_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="runevent",
            constraint=models.UniqueConstraint(fields=("run", "seq"), name="event_seq_unique"),
        ),
        migrations.AddConstraint(
            model_name="runevent",
            constraint=models.CheckConstraint(condition=models.Q(("seq__gte", 1)), name="event_seq_from_one"),
        ),
        migrations.AddConstraint(
            model_name="runstep",
            constraint=models.UniqueConstraint(fields=("run", "key"), name="step_key_unique"),
        ),
        migrations.AddConstraint(
            model_name="runstep",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["running", "done", "failed", "invalid", "late", "late_done", "cancelled"])),
                name="step_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="runstep",
            constraint=models.CheckConstraint(
                condition=models.Q(("stage__in", ["opinions", "review", "synthesis"])), name="step_stage_known"
            ),
        ),
        migrations.AddIndex(
            model_name="modelcall",
            index=models.Index(fields=["-created_at"], name="call_recent"),
        ),
        migrations.AddIndex(
            model_name="modelcall",
            index=models.Index(fields=["model", "-created_at"], name="call_by_model"),
        ),
        migrations.AddIndex(
            model_name="modelcall",
            index=models.Index(condition=models.Q(("status", "sending")), fields=["status"], name="call_sending"),
        ),
        migrations.AddConstraint(
            model_name="modelcall",
            constraint=models.UniqueConstraint(fields=("step", "attempt"), name="call_attempt_unique"),
        ),
        migrations.AddConstraint(
            model_name="modelcall",
            constraint=models.CheckConstraint(condition=models.Q(("attempt__gte", 1)), name="call_attempt_from_one"),
        ),
        migrations.AddConstraint(
            model_name="modelcall",
            constraint=models.CheckConstraint(
                condition=models.Q(("cost_usd", None), ("cost_usd__gte", 0), _connector="OR"), name="call_cost_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="modelcall",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["sending", "done", "refused", "broken", "orphaned", "cancelled"])),
                name="call_status_known",
            ),
        ),
    ]
