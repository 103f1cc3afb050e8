from django.db import connection
from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from .models import Counter


def index(request):
    if request.method == "POST":
        # Added by the database: two requests at the same time both count.
        Counter.objects.filter(pk=1).update(value=F("value") + 1)
        return redirect("index")
    return render(request, "index.html", {"value": Counter.objects.get(pk=1).value})


def healthz(_request):
    connection.ensure_connection()
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [path("", index, name="index"), path("healthz", healthz)]
