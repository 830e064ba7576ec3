from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def _rename_state(apps: Any, schema_editor: Any) -> None:
    """Running projects are `active` from now on; each living one claims its name, the oldest first."""
    projects = apps.get_model("astakos", "Project").objects
    projects.filter(state="normal").update(state="active")
    claimed = set()
    for project in projects.filter(state__in=("active", "suspended")).order_by("pk").iterator():
        if project.realname not in claimed:
            claimed.add(project.realname)
            projects.filter(pk=project.pk).update(name=project.realname)


class Migration(migrations.Migration):

    dependencies = [
        ('astakos', '0008_tokens_of_grants'),
    ]

    operations = [
        migrations.AddField(
            model_name='project',
            name='name',
            field=models.CharField(default=None, max_length=80, null=True, unique=True),
        ),
        migrations.AddField(
            model_name='project',
            name='warned_days',
            field=models.IntegerField(default=None, null=True),
        ),
        migrations.AddField(
            model_name='projectmembership',
            name='overquota_date',
            field=models.DateTimeField(default=None, null=True),
        ),
        migrations.AddField(
            model_name='projectmembership',
            name='overquota_state',
            field=models.CharField(default='OK', max_length=255),
        ),
        migrations.AlterField(
            model_name='project',
            name='state',
            field=models.CharField(choices=[('uninitialized', 'Uninitialized'), ('active', 'Active'), ('suspended', 'Suspended'), ('terminated', 'Terminated'), ('deleted', 'Deleted')], default='uninitialized', max_length=16),
        ),
        migrations.RunPython(_rename_state, migrations.RunPython.noop),
        migrations.CreateModel(
            name='MembershipLog',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('from_state', models.CharField(blank=True, default='', max_length=16)),
                ('to_state', models.CharField(max_length=16)),
                ('date', models.DateTimeField(default=django.utils.timezone.now)),
                ('actor', models.CharField(blank=True, default='', max_length=36)),
                ('reason', models.TextField(blank=True, default='')),
                ('comments', models.TextField(blank=True, default='')),
                ('membership', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='log', to='astakos.projectmembership')),
            ],
            options={
                'ordering': ['id'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='ProjectApplication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('approved', 'Approved'), ('replaced', 'Replaced'), ('denied', 'Denied'), ('dismissed', 'Dismissed'), ('cancelled', 'Cancelled')], default='pending', max_length=16)),
                ('is_modification', models.BooleanField(default=False)),
                ('name', models.CharField(max_length=80, null=True)),
                ('homepage', models.CharField(max_length=255, null=True)),
                ('description', models.TextField(null=True)),
                ('start_date', models.DateTimeField(null=True)),
                ('end_date', models.DateTimeField(null=True)),
                ('join_policy', models.CharField(choices=[('auto', 'Auto'), ('moderated', 'Moderated'), ('closed', 'Closed')], max_length=16, null=True)),
                ('leave_policy', models.CharField(choices=[('auto', 'Auto'), ('moderated', 'Moderated'), ('closed', 'Closed')], max_length=16, null=True)),
                ('max_members', models.BigIntegerField(null=True)),
                ('private', models.BooleanField(null=True)),
                ('comments', models.TextField(blank=True, default='')),
                ('issued_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('answered_at', models.DateTimeField(null=True)),
                ('answer', models.TextField(blank=True, default='')),
                ('answered_by', models.CharField(blank=True, default='', max_length=36)),
                ('waived_at', models.DateTimeField(null=True)),
                ('waive_reason', models.TextField(blank=True, default='')),
                ('waived_by', models.CharField(blank=True, default='', max_length=36)),
                ('applicant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='applications', to=settings.AUTH_USER_MODEL)),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='applications', to='astakos.project')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='ApplicationQuota',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project_capacity', models.BigIntegerField()),
                ('member_capacity', models.BigIntegerField()),
                ('resource', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='astakos.resource')),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='quotas', to='astakos.projectapplication')),
            ],
        ),
        migrations.AddField(
            model_name='project',
            name='last_application',
            field=models.ForeignKey(default=None, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='astakos.projectapplication'),
        ),
        migrations.CreateModel(
            name='ProjectLog',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('from_state', models.CharField(blank=True, default='', max_length=16)),
                ('to_state', models.CharField(max_length=16)),
                ('date', models.DateTimeField(default=django.utils.timezone.now)),
                ('actor', models.CharField(blank=True, default='', max_length=36)),
                ('reason', models.TextField(blank=True, default='')),
                ('comments', models.TextField(blank=True, default='')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='log', to='astakos.project')),
            ],
            options={
                'ordering': ['id'],
                'abstract': False,
            },
        ),
        migrations.AddConstraint(
            model_name='projectapplication',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'pending')), fields=('project',), name='one_pending_application'),
        ),
        migrations.AddConstraint(
            model_name='applicationquota',
            constraint=models.UniqueConstraint(fields=('application', 'resource'), name='application_resource_once'),
        ),
        migrations.AddConstraint(
            model_name='applicationquota',
            constraint=models.CheckConstraint(condition=models.Q(('member_capacity__gte', 0), ('project_capacity__gte', models.F('member_capacity'))), name='application_capacities_in_order'),
        ),
    ]
