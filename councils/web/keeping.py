"""What an owner does with a conversation in the list: rename, archive, delete, and take any of it back."""

import unicodedata

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from councils.models import Conversation
from councils.services.conversations import (
    archive_conversation,
    delete_conversation,
    deleted_conversations,
    rename_conversation,
    restore_conversation,
)
from councils.web.back import back
from councils.web.limits import signed_in

UNDO = "undo:"
"""A message with a tag that begins so offers to restore the conversation whose id follows."""


class TitleForm(forms.Form):
    """A title that one can see."""

    title = forms.CharField(
        max_length=200,
        error_messages={
            "required": _("A title needs at least one letter or digit. The old one is kept."),
            "max_length": _("A title has at most %(limit_value)d characters. The old one is kept."),
        },
    )

    def clean_title(self) -> str:
        title = " ".join(str(self.cleaned_data["title"]).split())
        if not any(unicodedata.category(char)[0] in "LNPS" for char in title):
            raise ValidationError(str(self.fields["title"].error_messages["required"]))
        return title


def _own(request: HttpRequest, public_id: str) -> Conversation:
    return get_object_or_404(Conversation.objects.visible_to(signed_in(request)), public_id=public_id)


def _return(request: HttpRequest) -> HttpResponse:
    return redirect(back(request, reverse("conversations")))


def _name(conversation: Conversation) -> str:
    return conversation.title or _t("Untitled")


@login_required
@require_POST
def rename(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give it another title. One that cannot be seen is refused with the reason."""
    conversation = _own(request, public_id)
    form = TitleForm(request.POST)
    if form.is_valid():
        rename_conversation(conversation=conversation, title=form.cleaned_data["title"])
        messages.success(request, _t("It is now called “%(title)s”.") % {"title": conversation.title})
    else:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
    return _return(request)


@login_required
@require_POST
def archive(request: HttpRequest, public_id: str) -> HttpResponse:
    """Put it away from the list of active ones."""
    conversation = _own(request, public_id)
    archive_conversation(conversation=conversation, archived=True)
    messages.success(request, _t("“%(title)s” is archived. It stays readable under Archived.") % {"title": _name(conversation)})
    return _return(request)


@login_required
@require_POST
def unarchive(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take it back into the list of active ones."""
    conversation = _own(request, public_id)
    archive_conversation(conversation=conversation, archived=False)
    messages.success(request, _t("“%(title)s” is active again.") % {"title": _name(conversation)})
    return _return(request)


@login_required
@require_POST
def delete(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take it out of sight; the message offers to undo it."""
    conversation = _own(request, public_id)
    delete_conversation(conversation=conversation, by=signed_in(request))
    text = _t("“%(title)s” is deleted.") % {"title": _name(conversation)}
    messages.success(request, text, extra_tags=f"{UNDO}{conversation.public_id}")
    return _return(request)


@login_required
@require_POST
def restore(request: HttpRequest, public_id: str) -> HttpResponse:
    """Undo a deletion."""
    conversation = get_object_or_404(deleted_conversations(signed_in(request)), public_id=public_id)
    restore_conversation(conversation=conversation)
    messages.success(request, _t("“%(title)s” is back.") % {"title": _name(conversation)})
    return _return(request)
