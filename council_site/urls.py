"""Where each door of the site is."""

from django.contrib import admin
from django.urls import include, path

from councils.web.accounts import admin_sign_in

handler500 = "councils.web.errors.server_error"

urlpatterns = [
    # One way in, with one limit on attempts: the admin's own form has none.
    path("admin/login/", admin_sign_in),
    path("admin/", admin.site.urls),
    path("api/", include("councils.api.urls")),
    # /health and /healthz are answered before any of this, by HealthMiddleware.
    path("health/", include("councils.api.health")),
    path("", include("councils.web.urls")),
]
