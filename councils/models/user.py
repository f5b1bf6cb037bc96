"""People and the keys with which their programs come in."""

import hashlib
import hmac
import secrets

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from councils.models.base import PublicIdModel

KEY_PREFIX = "llmc_"


class Language(models.TextChoices):
    """The languages of the pages, each by its own name, so that whoever speaks it finds it."""

    ENGLISH = "en", "English"
    FRENCH = "fr", "Français"


class Theme(models.TextChoices):
    """The looks to choose from. ``SYSTEM`` follows the device."""

    SYSTEM = "system", _("System")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")

    @property
    def color_scheme(self) -> str:
        """What the page tells the browser, so that its own parts (fields, scroll bars, the first blank canvas) fit."""
        return "light dark" if self is Theme.SYSTEM else str(self.value)


class User(AbstractUser):
    """A person who signs in. Staff run the place in the admin, everybody else asks questions.

    ``language`` and ``theme`` are empty until the person chooses: then the browser decides. A choice follows them to other devices.
    """

    language = models.CharField(max_length=8, choices=Language.choices, blank=True)
    theme = models.CharField(max_length=8, choices=Theme.choices, blank=True)
    default_council = models.ForeignKey("councils.CouncilConfiguration", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta(AbstractUser.Meta):
        db_table = "councils_user"
        constraints = [
            models.CheckConstraint(condition=Q(language__in=["", *Language.values]), name="user_language_known"),
            models.CheckConstraint(condition=Q(theme__in=["", *Theme.values]), name="user_theme_known"),
        ]

    def prefer(self, *, language: str | None = None, theme: str | None = None) -> None:
        """Keep these choices for every device. ``None`` leaves the earlier one, an empty text takes it back."""
        given = {name: value for name, value in (("language", language), ("theme", theme)) if value is not None}
        for name, value in given.items():
            setattr(self, name, value)
        self.save(update_fields=list(given))


def hash_key(key: str) -> str:
    # The key is 192 random bits, so a fast hash is enough: there is nothing to guess.
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> "ApiKeyQuerySet":
        now = timezone.now()
        return self.filter(revoked_at=None, user__is_active=True).filter(models.Q(expires_at=None) | models.Q(expires_at__gt=now))

    def visible_to(self, user: User) -> "ApiKeyQuerySet":
        return self if user.is_superuser else self.filter(user=user)

    def find(self, key: str) -> "ApiKey | None":
        """The usable key with this text, or ``None``."""
        found = self.usable().select_related("user").filter(key_hash=hash_key(key)).first()
        return found if found and hmac.compare_digest(found.key_hash, hash_key(key)) else None


class ApiKey(PublicIdModel):
    """A program's way in, in the name of a user. Only a hash is stored; the key itself is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100, help_text="What uses this key, so that you know what stops when you revoke it.")
    prefix = models.CharField(max_length=12, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(cls, *, user: User, name: str) -> tuple["ApiKey", str]:
        """A new key and its text. The text cannot be had again."""
        text = KEY_PREFIX + secrets.token_urlsafe(24)
        return cls.objects.create(user=user, name=name, prefix=text[:9], key_hash=hash_key(text)), text

    def revoke(self) -> None:
        """Stop accepting this key. Revoking twice keeps the first date."""
        if self.revoked_at is None:
            self.revoked_at = timezone.now()
            self.save(update_fields=["revoked_at"])
