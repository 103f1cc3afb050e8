from django.db import models


class Counter(models.Model):
    value = models.BigIntegerField(default=0)
